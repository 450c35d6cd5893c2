"""One owner under load, in rounds: how much it reads, fuses and holds when reading, model and lanes differ in speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from streams.decisions.owner import PartitionOwner
from streams.decisions.records import Append, Record, Task
from streams.join.items import SetDecision
from streams.join.settings import JoinSettings
from tests.support.driven import records_of
from tests.support.outputs import Key, outputs_of


class Paced:
    """Each round reads up to `fetch` records of every topic that is read, and fuses up to `fuses` sets.

    `available(topic, now_ms)` is a topic's high watermark; without it everything is there from the start. Then
    `latencies` says of each set when its last record was appended and how long it took from there to the broker, in ms.
    """

    def __init__(
        self,
        settings: JoinSettings,
        media: Mapping[str, Sequence[Record]],
        *,
        fetch: int = 50,
        fuses: int = 10_000,
        round_ms: int = 10,
        available: Callable[[str, int], int] | None = None,
        outage: range = range(0),
    ) -> None:
        self.media, self.fetch, self.fuses, self.round_ms, self.outage = media, fetch, fuses, round_ms, outage
        self.owner = PartitionOwner(settings, "w", 1, dict.fromkeys(media, 0), 0)
        self.now_ms = self.n_rounds = self.max_held = self.max_held_bytes = 0
        self.latencies: list[tuple[int, int]] = []
        self.reasons: Counter[str] = Counter()
        self.n_members: Counter[Key] = Counter()
        self.committed = dict.fromkeys(media, 0)
        self._available = available
        self._positions = dict.fromkeys(media, 0)
        self._read = frozenset(media)
        self._models: list[Task] = []
        self._publishing: list[Task] = []
        self._log: list[bytes] = []
        self._append: Append | None = None
        self._take()
        self._send()
        recovery = self.owner.recovery(0, len(self._log), 0)
        request = next(recovery)
        try:
            recovery.send(records_of(self._log, request.start, request.stop))
        except StopIteration:
            self._take()

    @property
    def sets(self) -> int:
        """How many sets were fused."""
        return sum(self.reasons.values())

    def run(self, max_rounds: int) -> Paced:
        """Until everything is committed, or for so many rounds."""
        ends = {topic: len(records) for topic, records in self.media.items()}
        for self.n_rounds in range(1, max_rounds + 1):
            self.round()
            if self.committed == ends:
                break
        return self

    def round(self) -> None:
        """Read, ask, decide, append, read back, fuse, publish."""
        self.now_ms += self.round_ms
        self.owner.on_heartbeat(self.now_ms)
        for topic in sorted(self._read):
            if topic in self._read:  # the one before may have filled the room
                self._deliver(topic)
        for topic in sorted(self.owner.topics_to_ask()):
            self.owner.on_high_water(topic, self._high_water(topic), self.now_ms, self.now_ms)
        self.owner.tick(self.now_ms)
        self._take()
        self._send()
        self._fuse_and_publish()

    def _high_water(self, topic: str) -> int:
        n_all = len(self.media[topic])
        return n_all if self._available is None else min(n_all, self._available(topic, self.now_ms))

    def _deliver(self, topic: str) -> None:
        start = self._positions[topic]
        stop = min(self._high_water(topic), start + self.fetch)
        if start < stop:
            self.owner.on_records(topic, self.media[topic][start:stop], self.now_ms)
            self._positions[topic] = stop
            self._take()

    def _send(self) -> None:
        append, self._append = self._append, None
        if append is not None:
            self._log.append(append.data)
            self.owner.on_appended(append.number, ok=True, now_ms=self.now_ms)
            self.owner.on_log(records_of(self._log, len(self._log) - 1), self.now_ms)
            self._take()

    def _fuse_and_publish(self) -> None:
        done, self._models = self._models[: self.fuses], self._models[self.fuses :]
        self.owner.on_fused(done)
        self._take()
        if self.n_rounds not in self.outage:
            publishing, self._publishing = self._publishing, []
            for task in publishing:
                if isinstance(task.decision, SetDecision):
                    self.reasons[task.decision.reason] += 1
                    self._note_latency(task.decision)
                for output in outputs_of(task):
                    self.n_members.update(output.members)
            self.owner.on_published(publishing)
            self._take()

    def _note_latency(self, decision: SetDecision) -> None:
        if self._available is not None:
            appended_ms = max(item.append_ms for item in decision.members)
            self.latencies.append((appended_ms, self.now_ms - appended_ms))

    def _take(self) -> None:
        commands = self.owner.take_commands()
        self._append = commands.append or self._append
        self._models += commands.fuse
        self._publishing += commands.publish
        self.committed.update(commands.acknowledge)
        self._read = self._read if commands.read is None else commands.read
        held = self.owner.in_flight.held
        self.max_held, self.max_held_bytes = max(self.max_held, held.events), max(self.max_held_bytes, held.n_bytes)
