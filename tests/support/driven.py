"""One owner driven by hand over a decision log in memory, for small cases in which every step is chosen.

`Driven.settle` does all that the owner asks for, at once and with success; what a case wants to hold back it
switches off (`reads_log`, `has_model`, `publishes`, `appends`). `Driven.successor` is who takes over after a crash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from streams.decisions.entries import HEADER, Batch, Entry, LogRecord, decode_entry, version_headers
from streams.decisions.owner import PartitionOwner
from streams.decisions.ownership import Deployment
from streams.decisions.records import Append, Record, Task
from streams.join.items import Decision
from streams.join.settings import JoinSettings, fingerprint
from syncline.wire.contract import MAX_EVENT_BYTES
from tests.support.outputs import Key, Output, outputs_of

TOPICS = ("media.image", "media.text", "media.audio")


def records_of(log: Sequence[bytes], start: int = 0, stop: int | None = None) -> list[LogRecord]:
    """What a reader of this log is given from `start` on, as this version writes it."""
    version = dict(version_headers())[HEADER]
    stop = len(log) if stop is None else stop
    return [LogRecord(offset, log[offset], version) for offset in range(start, stop)]


class Driven:
    """An owner that has recovered from `log` and begins to read at `committed`."""

    def __init__(
        self,
        settings: JoinSettings | None = None,
        log: list[bytes] | None = None,
        committed: Mapping[str, int] | None = None,
        *,
        worker: str = "a",
        generation: int = 1,
        now_ms: int = 1_000_000,
        log_start: int = 0,
        fresh: Collection[str] = (),
        group: str = "",
        take_over: str = "",
        n_partitions: int = 4,
        ends: Mapping[str, int] | None = None,
    ) -> None:
        self.settings = JoinSettings(tolerance_ms=45) if settings is None else settings
        self.log = [] if log is None else log
        self.committed = dict.fromkeys(TOPICS, 0) | dict(committed or {})
        self.now_ms, self.generation = now_ms, generation
        self.reads_log = self.has_model = self.publishes = self.appends = True
        self.models: list[Task] = []
        self.publishing: list[Task] = []
        self.outputs: list[Output] = []
        self.read: frozenset[str] = frozenset(TOPICS)
        deployment = Deployment(group, take_over, fingerprint(self.settings, MAX_EVENT_BYTES), n_partitions)
        self.owner = PartitionOwner(
            self.settings, worker, generation, self.committed, now_ms, fresh=fresh, deployment=deployment
        )
        self._append: Append | None = None
        self._take()
        self._send()
        self._log_position = len(self.log)
        recovery = self.owner.recovery(log_start, len(self.log), now_ms)
        self.requests: list[tuple[int, int]] = []
        try:
            request = next(recovery)
            while True:
                self.requests.append(tuple(request))
                request = recovery.send(records_of(self.log, request.start, request.stop))
        except StopIteration:
            self.n_fed = dict(self.committed) | dict(ends or {})
            if self.owner.must_place:
                self.owner.place(self.n_fed, now_ms)
            self._take()

    def successor(self, worker: str = "b", **changes: int) -> Driven:
        """Who takes over from what this one has committed; this one may go on, as a process that was cut off does.

        changes: its generation and the number of partitions that it has counted, where those are others.
        """
        generation = changes.get("generation", self.generation + 1)
        committed = dict(self.committed)
        return Driven(
            self.settings,
            self.log,
            committed,
            worker=worker,
            generation=generation,
            now_ms=self.now_ms,
            n_partitions=changes.get("n_partitions", self.owner._ownership.deployment.n_partitions),
            ends=self.n_fed,
        )

    def feed(self, media: Mapping[str, Iterable[Record | None]]) -> Driven:
        """Deliver what of these logs has not been delivered; None is an offset without a record."""
        for topic, log in media.items():
            records = list(log)
            self.owner.on_records(topic, [record for record in records if record is not None], self.now_ms)
            self.owner.on_position(topic, len(records), self.now_ms)
            self.n_fed[topic] = max(self.n_fed[topic], len(records))
        self._take()
        return self

    def settle(self) -> Driven:
        """Do what the owner asks for until it asks for nothing more."""
        for _ in range(1_000):
            before = self._progress()
            self.owner.on_heartbeat(self.now_ms)
            self.owner.tick(self.now_ms)
            self._take()
            self._send()
            self._read_log()
            self._execution()
            if self._progress() == before:
                return self
        raise AssertionError("this owner never comes to rest")

    def wait(self, ms: int, high_water: Mapping[str, int]) -> Driven:
        """Let time pass, with a broker that answers at once; then settle."""
        self.now_ms += ms
        self.owner.on_heartbeat(self.now_ms)
        for _ in range(2):
            self.settle()
            for topic in sorted(self.owner.topics_to_ask()):
                self.owner.on_high_water(topic, high_water.get(topic, 0), self.now_ms, self.now_ms)
        return self.settle()

    def snapshot(self) -> Driven:
        """Write a snapshot to the end."""
        self.owner.ask_for_snapshot()
        return self.settle()

    # --- what a case looks at --------------------------------------------------------------------------------------

    @property
    def entries(self) -> list[Entry | None]:
        """The decision log, decoded."""
        return [decode_entry(record) for record in records_of(self.log)]

    @property
    def decisions(self) -> list[Decision]:
        """All decisions in the log, valid or not, in order."""
        return [decision for entry in self.entries if isinstance(entry, Batch) for decision in entry.decisions]

    @property
    def fused(self) -> list[tuple[Key, ...]]:
        """The members of each fused set, in the order of publication."""
        return [output.members for output in self.outputs if output.kind == "fused"]

    def said(self, kind: str) -> list[tuple[str, Key]]:
        """(reason, record) of each output of this kind that is about one record."""
        return [(output.reason, output.members[0]) for output in self.outputs if output.kind == kind]

    # --- steps -----------------------------------------------------------------------------------------------------

    def _progress(self) -> tuple[int, ...]:
        return len(self.log), self._log_position, len(self.outputs), len(self.models), sum(self.committed.values())

    def _take(self) -> None:
        commands = self.owner.take_commands()
        self._append = commands.append or self._append
        self.models += commands.fuse
        self.publishing += commands.publish
        self.committed.update(commands.acknowledge)
        if commands.read is not None:
            self.read = commands.read

    def _send(self) -> None:
        append, self._append = self._append, None
        if append is not None:
            if self.appends:
                self.log.append(append.data)
            self.owner.on_appended(append.number, ok=self.appends, now_ms=self.now_ms)
            self._take()

    def _read_log(self) -> None:
        if self.reads_log:
            self.owner.on_log(records_of(self.log, self._log_position), self.now_ms)
            self._log_position = len(self.log)
            self._take()

    def _execution(self) -> None:
        if self.has_model:
            models, self.models = self.models, []
            self.owner.on_fused(models)
            self._take()
        if self.publishes:
            publishing, self.publishing = self.publishing, []
            for task in publishing:
                self.outputs += outputs_of(task)
            self.owner.on_published(publishing)
            self._take()
