"""The owner of one partition number: from records and the decision log to commands, without I/O.

One path for normal running and for recovery (docs/design.md, "The decision log"):

    records --> join --> propose --> [decision log] --> read back --> carry out --> resolve --> acknowledge
                            ^                               |
                            +---- claim, and what is void --+

The driver calls `on_...` and `tick` with what happens, then carries out `take_commands`. Times `now_ms` come from a
monotonic clock. An owner belongs to one assignment: after a rebalance a new one starts from the log.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence

from streams.decisions.backpressure import Backpressure, ReadingState
from streams.decisions.checkpoint_state import CheckpointState
from streams.decisions.counters import Counters
from streams.decisions.entries import THIS_VERSION, Batch, Claim, FormerPlacement, LogRecord, decode_entry, keys_of
from streams.decisions.execution import DecisionExecutor
from streams.decisions.former_counts import former_counts, merged, require_no_more, still_placed
from streams.decisions.in_flight import Amount, InFlight
from streams.decisions.join_input import JoinInput
from streams.decisions.ownership import Deployment, LogValidator, Ownership, State
from streams.decisions.proposer import BatchBuilder, Proposer
from streams.decisions.records import Commands, Record, Task
from streams.decisions.recovery import US_A_KEY, AnotherGroupError, ReadLog, TopicEnds, in_steps, recover
from streams.decisions.snapshots import SnapshotSource, SnapshotWriter
from streams.join.items import Decision
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings


class PartitionOwner:
    """Decides and carries out what becomes of the records of one partition number.

    `committed` is, per media topic, the next offset that this assignment reads; `fresh` are the topics of which nothing
    is committed, and that are read from where they begin. `worker` is unique to this owner. `counters` counts what
    becomes of the records, over all owners that are given it. `deployment` is what claims say of the workers,
    `log_version` the form in which entries are written. `in_flight`, `execution` and `join` are there to be looked at.
    """

    def __init__(
        self,
        settings: JoinSettings,
        worker: str,
        generation: int,
        committed: Mapping[str, int],
        now_ms: int,
        *,
        session_timeout_ms: int = 10_000,
        counters: Counters | None = None,
        fresh: Collection[str] = (),
        deployment: Deployment | None = None,
        log_version: str = THIS_VERSION,
    ) -> None:
        self._fresh = fresh
        self._ownership = Ownership(worker, generation, now_ms, session_timeout_ms, deployment)
        self._view = LogValidator()
        self.in_flight = InFlight(committed, counters, disorder_ms=settings.out_of_order_ms)
        self._counters = self.in_flight.counters
        self.execution = DecisionExecutor(self.in_flight)
        self._checkpoint = CheckpointState(settings)
        self._proposer = Proposer(log_version)
        self._outbox = BatchBuilder(self.in_flight)
        self._join_input = JoinInput(settings, self.in_flight, self.execution, self._outbox)
        self._snapshots = SnapshotWriter(now_ms)
        self._source = SnapshotSource(self._checkpoint, self.in_flight, self.execution)
        self._reading = ReadingState(Backpressure(settings), self.in_flight)
        self._ends = TopicEnds(self.in_flight)
        # Nothing is acknowledged before: a log without decisions beside committed offsets looks emptied.
        self._log_speaks = False
        self._resting = False
        self._former_counts: set[int] = set()
        self._now_ms = now_ms
        self._claim()

    def recovery(self, log_start: int, log_end: int, now_ms: int) -> Generator[ReadLog, list[LogRecord], None]:
        """Recover the state at the committed offsets.

        Start it when the claim of the first `take_commands` is on the broker; ask for `log_end` after that. Yields
        requests for entries of the log. Afterwards feed `on_log` from `log_end`. Raises `NotRecoverableError`, e.g. if
        the log belongs to another group, and `NewerVersionError`.
        """
        recovered = yield from recover(self.in_flight.acknowledged, log_start, log_end, self._fresh)
        require_no_more(recovered.claims.values(), self._n_partitions)
        self._view, self._checkpoint.claims = recovered.view, recovered.claims
        self._ownership.say_placed(still_placed(recovered.newest_claims, self.in_flight.acknowledged))
        self._former_counts = former_counts(recovered.newest_claims, self._n_partitions)
        self._log_speaks = bool(recovered.decisions) or recovered.snapshot is not None
        self._checkpoint.restore(recovered)
        self.execution.recall(recovered.resolved)
        for topic in self._fresh:
            self.execution.know_of_fresh(topic, recovered.newest_at.get(topic, 0))
        yield from in_steps(recovered.decisions, self._confirm_one, log_end)
        if self._ownership.is_mine(self._view.claim):
            self._own(now_ms)
        else:
            self._lose(now_ms)
            self._check_group()

    @property
    def _n_partitions(self) -> int:
        return self._ownership.deployment.n_partitions

    @property
    def placed(self) -> tuple[FormerPlacement, ...]:
        """The records that may have been placed by a former number of partitions."""
        return self._ownership.deployment.placed

    @property
    def must_place(self) -> bool:
        """Whether there may be such records. Then call `place` right after recovery, before anything else."""
        return bool(self.placed or self._former_counts)

    def place(self, ends: Mapping[str, int], now_ms: int) -> None:
        """Write to the log, before any proposal, which records may have been placed by a former number of partitions.

        `ends` are the media topics' high watermarks, asked for after this owner's first claim was on the broker: all
        decisions of earlier owners are on records below them.
        """
        self._ownership.say_placed(
            merged([*self.placed, *(FormerPlacement(count, dict(ends)) for count in self._former_counts)])
        )
        if self.state == "owning":
            self._renew_for_snapshot(now_ms)

    def _own(self, now_ms: int) -> None:
        """Start the join, because this owner's claim is current: records that the log does not decide join in order."""
        self._counters.n_claims += 1
        self._ownership.state = "owning"
        self.execution.own_from = self._view.next_offset
        self._ends.start(now_ms)
        self._snapshots.reset()
        self.execution.propose_failures_again()
        self._source.forget_bounds(self._view.next_offset)
        self._join_input.start(self._checkpoint, now_ms)

    def on_records(self, topic: str, records: Sequence[Record], now_ms: int) -> None:
        """Take records of one topic in offset order; skip ones delivered before.

        Raises `MadeAnewError` if the log names another record at one of these offsets.
        """
        self._join_input.take(topic, records, now_ms)

    def on_position(self, topic: str, next_offset: int, now_ms: int) -> None:
        """Note that every offset of `topic` below `next_offset` was delivered, or was deleted and never will be."""
        self._join_input.pass_to(topic, next_offset, now_ms)

    def on_log(self, records: Sequence[LogRecord], now_ms: int) -> None:
        """Take records of the decision log in offset order; skip ones read before.

        Raises `NewerVersionError` at an entry of a newer version, and `AnotherGroupError` if another group has taken
        the log over. This owner must do nothing more then.
        """
        for record in records:
            if record.offset < self._view.next_offset:
                continue
            entry = decode_entry(record)
            verdict = self._view.apply(record.offset, entry)
            if isinstance(entry, Claim):
                self._on_claim(record.offset, entry, current=verdict == "claim", now_ms=now_ms)
            elif isinstance(entry, Batch) and verdict == "void":
                self._counters.n_void_batches += 1
            elif isinstance(entry, Batch):
                self._snapshots.count(len(entry.decisions))
                self._log_speaks = True
                if self.state == "owning":
                    self._counters.confirmed(entry.decisions)
                self._act_on(entry.decisions, record.offset)

    def _on_claim(self, offset: int, claim: Claim, *, current: bool, now_ms: int) -> None:
        mine = self._ownership.is_mine(claim)
        if current:
            require_no_more([claim], self._n_partitions)
            self._checkpoint.claims[offset] = claim
        if current and mine and self.join:
            self._begin_snapshot(self.join)
        elif current and mine:
            self._own(now_ms)
        elif current or (mine and self.state == "claiming"):
            self._lose(now_ms)
            if mine:
                self._check_group()

    def _check_group(self) -> None:
        """Raise `AnotherGroupError` if our claims are ignored for their group: claiming again cannot help then."""
        if self._view.is_anothers(self._ownership.claim(-1)):
            raise AnotherGroupError(self._view.group, self._ownership.deployment.group)

    def _lose(self, now_ms: int) -> None:
        """Stop proposing, carrying out and acknowledging, because another owner's claim is current."""
        self._counters.n_lost_claims += 1
        self._ownership.lose(now_ms)
        self._join_input.stop()
        self._checkpoint.forget_join()
        self._proposer.drop()

    def _act_on(self, decisions: Sequence[Decision], log_offset: int) -> None:
        """Apply decisions read back from a valid batch at `log_offset`."""
        for decision in decisions:
            self._confirm(decision, log_offset)

    def _confirm(self, decision: Decision, log_offset: int) -> None:
        self._checkpoint.bind(decision, log_offset)
        self.execution.confirm(decision, log_offset)

    def _confirm_one(self, numbered: tuple[int, Decision]) -> int:
        """Apply one decision during recovery; return its approximate cost in us."""
        self._confirm(numbered[1], numbered[0])
        return US_A_KEY * (1 + len(keys_of(numbered[1])))

    def on_high_water(self, topic: str, high_water: int | None, asked_ms: int, now_ms: int, end: int = 0) -> None:
        """Take how far `topic` can be read, asked for at `asked_ms`; None if the broker could not be asked.

        high_water: its last stable offset, which is the high watermark unless a transaction is open. end: the high
        watermark, if known to be above. Raises `MadeAnewError` if a decided set waits for a record above both.
        """
        if high_water is not None:
            self._reading.high_water(topic, high_water)
            # A log from before media were read committed may name records of an open transaction.
            awaited = topic in self.execution.awaited_topics()
            self._ends.check(topic, max(high_water, end), asked_ms, awaited=awaited)
        if self.join is not None:
            self.join.high_water(topic, high_water, asked_ms, now_ms)

    def on_appended(self, number: int, *, ok: bool, now_ms: int) -> None:
        """Take the outcome of the entry of `Commands.append` with this number."""
        self._proposer.appended(number, ok=ok)
        if not ok:
            self._rest_timers(now_ms)

    def _rest_timers(self, now_ms: int) -> None:
        """Stop timers while appends fail, until the broker tells again how far the topics reach."""
        for topic in self.in_flight.topics:
            self.on_high_water(topic, None, now_ms, now_ms)

    def on_heartbeat(self, sent_ms: int) -> None:
        """Note a heartbeat sent at `sent_ms` that succeeded in this owner's generation."""
        if self._ownership.heard(sent_ms, self._view.claim):
            self._claim()

    def on_fused(self, tasks: Sequence[Task]) -> None:
        """Note that the model has answered these sets."""
        self.execution.fused(tasks)

    def on_failed(self, task: Task, reason: str) -> None:
        """Note that this set can never be fused."""
        self.execution.fail(task, reason)

    def on_published(self, tasks: Sequence[Task]) -> None:
        """Note that all outputs of these tasks are on the broker."""
        self.execution.published(tasks)

    def tick(self, now_ms: int) -> None:
        """Propose what can be proposed now; call it after every event, and at least every 100 ms."""
        self._now_ms = now_ms
        self._snapshots.cut()
        may_propose = self._ownership.may_propose(now_ms) and self._proposer.free and not self._snapshots.renewing
        if self.join is None or not may_propose:
            return
        if part := self._snapshots.next_part(self._proposer.next_number):
            self._proposer.send(part)
        elif self._snapshots.due(now_ms):
            self._renew_for_snapshot(now_ms)
        else:
            self._snapshots.let_others_go()
            self._propose(self.join, now_ms)

    def _propose(self, join: PartitionJoin, now_ms: int) -> None:
        if self._join_input.fill_outbox(join, self._reading, now_ms, deciding=not self._resting):
            self._send_batch(self._outbox.take_batch())

    def _send_batch(self, decisions: list[Decision]) -> None:
        """Propose decisions; they take effect when read back."""
        self._proposer.send(Batch(self._view.claim_offset, self._proposer.next_number, decisions))

    def rest(self) -> None:
        """Decide nothing more; carry out what is decided."""
        self._resting = True

    def ask_for_snapshot(self) -> None:
        """Write a snapshot once no other entry is on its way; call it before handing over."""
        self._snapshots.ask()

    @property
    def wants_tick(self) -> bool:
        """Whether `tick` has more to do, which it postponed to let others run."""
        return self._snapshots.cutting

    @property
    def snapshot_is_written(self) -> bool:
        """Whether the requested snapshot is in the log with all its parts."""
        return not self._snapshots.busy and self._proposer.free

    def _renew_for_snapshot(self, now_ms: int) -> None:
        """Renew the claim; the snapshot's parts follow when it is read back."""
        self._snapshots.renew(now_ms)
        self._claim()

    def _claim(self) -> None:
        self._proposer.send(self._ownership.claim(self._proposer.next_number))

    def _begin_snapshot(self, join: PartitionJoin) -> None:
        self._counters.n_claims += 1
        self._counters.n_snapshots += 1
        self._snapshots.begin(self._source.take(join.clocks, self._view.next_offset, self._view.claim_offset))

    def take_commands(self) -> Commands:
        """Return what to do now; each thing once."""
        commands = Commands()
        commands.append = self._proposer.take()
        if self.state != "owning":
            commands.read = self._reading.stop() if self.state == "lost" else None
            return commands
        self.execution.take(commands)
        if self._log_speaks:
            commands.acknowledge = self._checkpoint.advance(self.in_flight)
        commands.read = self._reading.change(self.execution.awaited_topics(), self.join, self._now_ms)
        return commands

    def end(self) -> None:
        """End this owner with its assignment; the next owner takes what it holds."""
        self._join_input.stop()
        self.in_flight.hand_back()

    def share_limits(self, n_shares: int) -> None:
        """Use one of `n_shares` equal shares of the limits, the number of the worker's partition numbers."""
        self._reading.share_limits(n_shares)

    @property
    def share(self) -> Amount:
        """The soft limits of this partition number."""
        return self._reading.share

    def topics_to_ask(self) -> set[str]:
        """Return the topics whose high watermark a timer, back-pressure or a decided set needs now."""
        if self._reading.rationed:
            return set(self.in_flight.topics)
        if self.join is None:
            return set()
        return self.join.timer_topics() | self.execution.awaited_topics()

    @property
    def join(self) -> PartitionJoin | None:
        """The join; None while this owner's claim is not current."""
        return self._join_input.join

    @property
    def state(self) -> State:
        """Whether this owner's claim is current."""
        return self._ownership.state

    @property
    def log_position(self) -> int:
        """The next offset of the decision log to read."""
        return self._view.next_offset

    @property
    def idle(self) -> bool:
        """Whether nothing is proposed, and nothing decided can be carried out without reading on."""
        read_back = self._view.number == self._proposer.next_number - 1
        return self._proposer.free and read_back and not self._outbox and not self.execution.busy
