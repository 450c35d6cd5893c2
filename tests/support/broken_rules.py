"""The rules of the decision log (docs/design.md, section 12), each with a way to break it from outside.

The service always obeys them all. `with broken("ignore_copies"):` patches its code so that this one rule does not hold;
tests show with that what each rule is for, and that the checker sees whoever leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from streams.decisions.backpressure import Backpressure, TopicReadState
from streams.decisions.checkpoint_state import CheckpointState
from streams.decisions.execution import DecisionExecutor, PublishOrder, _finished
from streams.decisions.in_flight import Amount, OffsetTracker
from streams.decisions.owner import PartitionOwner
from streams.decisions.ownership import LogValidator, Ownership
from streams.decisions.proposer import BatchBuilder, Proposer
from streams.decisions.records import InFlightRecord, Task
from streams.decisions.snapshots import Snapshot, SnapshotSource
from streams.join.clocks import Clocks
from streams.join.items import Decision, SetDecision

Patches = Iterator[Any]
BREAKS: dict[str, Callable[[], Patches]] = {}
"""By the name of a rule, what makes the patches that break it."""


@contextmanager
def broken(name: str | None) -> Iterator[None]:
    """In here the service breaks this rule; None: it obeys them all."""
    with ExitStack() as stack:
        for one in BREAKS[name]() if name else ():
            stack.enter_context(one)
        yield


def break_for_good(name: str) -> None:
    """From now on this process breaks the rule."""
    for one in BREAKS[name]():
        one.start()


def rule(function: Callable[[], Patches]) -> Callable[[], Patches]:
    """How to break the rule that is named as the function, and says what holds without that."""
    BREAKS[function.__name__] = function
    return function


def _false(*_: object) -> bool:
    return False


def _nothing(*_: object) -> None:
    """Instead of a step that is left out."""


# --- what counts in the log ---------------------------------------------------------------------------------------


@rule
def void_behind_other_claim() -> Patches:
    """A batch is void if another claim lies between its writer's claim and itself."""
    yield patch.object(LogValidator, "_is_behind_other_claim", _false)


@rule
def ignore_lower_claims() -> Patches:
    """A claim of a lower generation than the one before it is ignored."""
    yield patch.object(LogValidator, "_is_lower", _false)


@rule
def one_group_a_log() -> Patches:
    """A claim of another consumer group than the log's is ignored, unless it was told to take that one's log over."""
    yield patch.object(LogValidator, "is_anothers", _false)


@rule
def ignore_copies() -> Patches:
    """A second copy of an entry is ignored."""
    yield patch.object(LogValidator, "_is_copy", _false)


@rule
def act_on_read_back() -> Patches:
    """A decision takes effect when it is read back, not when it is proposed."""
    send_batch, act_on = PartitionOwner._send_batch, PartitionOwner._act_on

    def send_and_act(self: PartitionOwner, decisions: list[Decision]) -> None:
        send_batch(self, decisions)
        act_on(self, decisions, self._view.next_offset)

    def act_on_anothers(self: PartitionOwner, decisions: Sequence[Decision], log_offset: int) -> None:
        if self.state != "owning":
            act_on(self, decisions, log_offset)

    yield patch.object(PartitionOwner, "_send_batch", send_and_act)
    yield patch.object(PartitionOwner, "_act_on", act_on_anothers)


@rule
def obey_the_log() -> Patches:
    """After a crash a record that a valid decision names never joins again."""
    confirm = PartitionOwner._confirm

    def confirm_own(self: PartitionOwner, decision: Decision, log_offset: int) -> None:
        if self.state == "owning":
            confirm(self, decision, log_offset)
        else:
            self._checkpoint.bind(decision, log_offset)

    yield patch.object(PartitionOwner, "_confirm", confirm_own)
    yield patch.object(DecisionExecutor, "arrived", _nothing)


# --- proposing ----------------------------------------------------------------------------------------------------


@rule
def propose_with_a_fresh_heartbeat() -> Patches:
    """Nothing is proposed by a worker that has not been heard by its group for half the session timeout."""

    def may_always_propose(self: Ownership, now_ms: int) -> bool:
        return self.state == "owning"

    yield patch.object(Ownership, "may_propose", may_always_propose)


@rule
def one_batch_in_flight() -> Patches:
    """The next entry goes only when the one before it is acknowledged."""
    yield patch.object(Proposer, "free", new=True)


@rule
def timers_rest_while_appends_fail() -> Patches:
    """Timers propose nothing while appends fail, and start again when they succeed."""
    yield patch.object(PartitionOwner, "_rest_timers", _nothing)


@rule
def given_up_sets_stay_whole() -> Patches:
    """The members of a set that was given up (`require`) go into one batch."""
    yield patch.object(BatchBuilder, "_is_tied", _false)


# --- carrying out -------------------------------------------------------------------------------------------------


@rule
def keep_the_place_of_a_lost_member() -> Patches:
    """A record that is gone is not acknowledged before the others of its set have their outcome."""
    yield patch.object(DecisionExecutor, "_keep_place", _nothing)


@rule
def resolve_together() -> Patches:
    """All members of a set are resolved together, when every output is on the broker."""
    hand_over = DecisionExecutor._hand_over

    def hand_over_and_resolve(self: DecisionExecutor, task: Task) -> None:
        hand_over(self, task)
        if task.is_set and task.records[0] is not None:
            self._in_flight.resolve(task.records[0])

    yield patch.object(DecisionExecutor, "_hand_over", hand_over_and_resolve)


@rule
def acknowledge_in_order() -> Patches:
    """Only the resolved prefix of a topic is acknowledged."""

    def keep_nothing_back(self: OffsetTracker, earlier: InFlightRecord, held: InFlightRecord) -> None:
        self._to_front(held)

    yield patch.object(OffsetTracker, "_keep", keep_nothing_back)


@rule
def publish_in_log_order() -> Patches:
    """Results of a stream are handed to the producer in log order."""
    take = PublishOrder.take

    def take_finished(self: PublishOrder, stream: str) -> list[Task]:
        if queue := self._queues.get(stream):
            tasks = sorted(queue, key=_finished, reverse=True)  # stable: those that are not keep their order
            queue.clear()
            queue.extend(tasks)
        return take(self, stream)

    yield patch.object(PublishOrder, "take", take_finished)


@rule
def failure_is_a_decision() -> Patches:
    """`failed` is appended and read back before a set's dead letter is sent."""
    fail = DecisionExecutor.fail

    def fail_at_once(self: DecisionExecutor, task: Task, reason: str) -> None:
        was_failing = task.failing is not None
        fail(self, task, reason)
        if was_failing or task.failing is None or not isinstance(task.decision, SetDecision):
            return
        task.failed = reason
        if task.handed_over:
            self._go_on_failed(task)
        else:
            self._flush(task.decision.stream)

    yield patch.object(DecisionExecutor, "fail", fail_at_once)


# --- snapshots ----------------------------------------------------------------------------------------------------


@rule
def restore_clocks() -> Patches:
    """Recovery starts from the watermarks and remembered ids of a snapshot and the decisions after it."""
    yield patch.object(CheckpointState, "restore", _nothing)


@rule
def remember_what_is_resolved() -> Patches:
    """A snapshot names what is resolved above the acknowledged offsets, so that nobody publishes it again."""
    yield patch.object(SnapshotSource, "_resolved", lambda self: iter(()))


@rule
def snapshot_at_acknowledged() -> Patches:
    """A snapshot holds the clocks as they were at the acknowledged offsets, not at the newest item read."""
    take = SnapshotSource.take

    def take_newest(self: SnapshotSource, newest: Clocks, *arguments: Any) -> Snapshot:
        with patch.object(self._checkpoint, "clocks", newest):
            return take(self, newest, *arguments)

    yield patch.object(SnapshotSource, "take", take_newest)


# --- back-pressure ------------------------------------------------------------------------------------------------


@rule
def read_what_is_awaited() -> Patches:
    """Over the limits a topic is read whose records a decided set waits for."""
    yield from _read_without(awaited=False)


@rule
def read_what_is_wanted() -> Patches:
    """Over the soft limit a topic is read that undecided sets wait for; a backlog beside a live lane waits."""
    yield from _read_without(wanted=False)


@rule
def spare_what_frees_itself() -> Patches:
    """Over the soft limit nothing is read while half of it is on its way; pressure acts only below that."""
    yield patch.object(Backpressure, "_frees_itself", _false)


def _read_without(**known: bool) -> Patches:
    """Decide what is read as if this were so of every topic."""
    readable = Backpressure.readable

    def readable_without(
        self: Backpressure, held: Amount, on_its_way: Amount, topics: Mapping[str, TopicReadState], *, alive: bool
    ) -> frozenset[str]:
        topics = {name: state._replace(**known) for name, state in topics.items()}
        return readable(self, held, on_its_way, topics, alive=alive)

    yield patch.object(Backpressure, "readable", readable_without)
