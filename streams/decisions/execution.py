"""From confirmed decisions to outputs on the broker: waits for members, keeps each stream's order, resolves records.

confirmed --> members here? --> fuse --> its turn in its stream? --> publish --> on the broker --> resolved
              (after a crash             (sets only, log order)
               they come again)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from streams.decisions.awaited import AwaitedRecords
from streams.decisions.entries import Key, ResolvedRun, keys_of, moves_nothing, named_item
from streams.decisions.in_flight import InFlight
from streams.decisions.records import Commands, InFlightRecord, Task
from streams.decisions.recovery import MadeAnewError
from streams.decisions.resolved import NOT_NAMED, OffsetRuns
from streams.join.items import (
    ClosedDecision,
    Decision,
    FailedDecision,
    RunDecision,
    SetDecision,
)


class PublishOrder:
    """Decided and unpublished sets, by stream in log order."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Task]] = {}
        self._by_members: dict[tuple[Key, ...], Task] = {}

    def __iter__(self) -> Iterator[Task]:
        return (task for queue in self._queues.values() for task in queue)

    def add(self, stream: str, task: Task) -> None:
        """Append a set, decided after all others."""
        self._queues.setdefault(stream, deque()).append(task)
        self._by_members.setdefault(tuple(task.keys), task)

    def find(self, members: tuple[Key, ...]) -> Task | None:
        """Return the set with these members."""
        return self._by_members.get(members)

    def take(self, stream: str) -> list[Task]:
        """Return the stream's sets whose turn has come, each once: fused or failed, as are all before them."""
        queue = self._queues.get(stream, deque())
        taken: list[Task] = []
        while queue and _finished(queue[0]):
            taken.append(queue.popleft())
        if not queue:
            self._queues.pop(stream, None)
        for task in taken:
            members = tuple(task.keys)
            if self._by_members.get(members) is task:
                del self._by_members[members]
        return taken

    @property
    def any_can_go_on(self) -> bool:
        """Tell whether some stream's first set has all its members; while it waits, so do later sets."""
        return any(queue[0].ready for queue in self._queues.values())


def _finished(task: Task) -> bool:
    return task.ready and (task.fused or task.failed is not None)


class DecisionExecutor:
    """Carries out confirmed decisions over the held records of one partition number."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._awaited = AwaitedRecords()
        self._unknown: dict[str, range] = {}
        self._publish_order = PublishOrder()
        self._fuse: list[Task] = []
        self._publish: list[Task] = []
        self._proposals: list[Decision] = []
        self._too_late: dict[tuple[Key, ...], Task] = {}
        """Sets that fail after their turn has come, by members."""
        self.own_from = 0
        """The log offset from which decisions are this owner's; those before are earlier owners'."""
        self._published: dict[str, OffsetRuns] = {}
        self._n_publishing = 0

    def recall(self, resolved: Iterable[ResolvedRun]) -> None:
        """Note records whose outputs are on the broker; call it before decisions are confirmed."""
        for run in resolved:
            self._published.setdefault(run.topic, OffsetRuns()).add(run.first_offset, run.last_offset)

    def resolved_ahead(self) -> Iterator[ResolvedRun]:
        """Yield the records of `recall` that have not come, which a successor must know too."""
        for topic, runs in self._published.items():
            position = self._in_flight.topics[topic].position
            yield from (ResolvedRun(topic, max(first, position), last) for first, last in runs if last >= position)

    def know_of_fresh(self, topic: str, resolved: int) -> None:
        """Note a topic without a committed offset, of which all below `resolved` was resolved.

        Call it before the first decision is confirmed. Records between `resolved` and the topic's start are gone, and
        it is unknown whether their outcome was published.
        """
        self._unknown[topic] = range(resolved, self._in_flight.topics[topic].acknowledged)

    # --- confirmed decisions, in log order ---------------------------------------------------------------------

    def confirm(self, decision: Decision, log_offset: int) -> None:
        """Take a valid decision read from the log, now or during recovery."""
        if isinstance(decision, FailedDecision):
            self._confirm_failed(decision)
        elif isinstance(decision, ClosedDecision):
            self._attach_or_wait(decision, keys_of(decision)[0], 0)
        elif isinstance(decision, RunDecision):
            for topic, offset in keys_of(decision):
                one = RunDecision(topic, offset, offset, decision.outcome, decision.reason)
                self._begin(Task(one, [(topic, offset)], log_offset))
        else:
            self._begin(Task(decision, keys_of(decision), log_offset))

    def _begin(self, task: Task) -> None:
        resolved = [self._is_resolved(*key) for key in task.keys]
        # Members are resolved together: one resolved member, by itself or in a snapshot, means that all outputs of the
        # set are on the broker.
        task.done = any(resolved) or any(offset in self._published.get(topic, ()) for topic, offset in task.keys)
        task.n_missing -= sum(resolved)
        if isinstance(task.decision, SetDecision) and not task.done:
            self._publish_order.add(task.decision.stream, task)
        for index, key in enumerate(task.keys):
            if not resolved[index]:
                self._attach_or_wait(task, key, index)

    def _is_resolved(self, topic: str, offset: int) -> bool:
        hold = self._in_flight.topics[topic]
        if offset < hold.acknowledged:
            return offset not in self._unknown.get(topic, ())
        return hold.is_resolved(offset)

    def _attach_or_wait(self, task: Task | ClosedDecision, key: Key, index: int) -> None:
        held = self._in_flight.get(*key)
        if held is not None and not held.is_lost:
            self._attach(task, held, index)
        elif key[1] >= self._in_flight.topics[key[0]].position:
            self._awaited.add(key, (task, index))
        elif isinstance(task, Task):
            self._lose(task, key, index)

    def _confirm_failed(self, decision: FailedDecision) -> None:
        task = self._publish_order.find(decision.members) or self._too_late.pop(decision.members, None)
        if task is not None:
            task.failed = decision.reason
            task.lost = tuple(dict.fromkeys((*task.lost, *decision.lost)))
            self._go_on_failed(task)

    def _go_on_failed(self, task: Task) -> None:
        if task.handed_over:
            self._publish.append(task)  # dead letters now, in place of the result
        else:
            self._when_ready(task)

    # --- records ----------------------------------------------------------------------------------------------

    def arrived(self, held: InFlightRecord) -> None:
        """Take a record; decisions in the log may name it."""
        for task, index in self._awaited.pop(held.topic, held.offset):
            self._check_identity(task, held, index)
            self._attach(task, held, index)

    def _check_identity(self, task: Task | ClosedDecision, held: InFlightRecord, index: int) -> None:
        named = named_item(task.decision if isinstance(task, Task) else task, index)
        if named is not None and held.item is not None and named.id_hash != held.item.id_hash:
            finding = f"the log names another record at offset {held.offset} than the one that is there"
            raise MadeAnewError(held.topic, finding)

    def _attach(self, task: Task | ClosedDecision, held: InFlightRecord, index: int) -> None:
        if isinstance(task, ClosedDecision):
            held.final = True
            self._resolve_if_ended(held)
            return
        if held.log_offset == NOT_NAMED:
            held.log_offset = task.log_offset
        decision = task.decision
        if not (isinstance(decision, SetDecision) and index in decision.open_members):
            held.final = True
            held.moves = held.moves and not moves_nothing(decision)
        task.records[index] = held
        task.n_missing -= 1
        if task.done:
            self._resolve_if_ended(held)
            return
        held.n_open += 1
        rejected = held.record.rejected if held.record else None
        if rejected is not None and task.is_set:
            self.fail(task, rejected.reason)
        self._when_ready(task)

    def passed(self, topic: str, next_offset: int) -> list[InFlightRecord]:
        """Note that every offset of `topic` below `next_offset` was passed: a named record that did not come is lost.

        Returns the places kept for lost members of sets, in offset order.
        """
        places: list[InFlightRecord] = []
        for offset in self._awaited.below(topic, next_offset):
            for task, index in self._awaited.pop(topic, offset):
                if isinstance(task, Task):
                    self._lose(task, (topic, offset), index)
            place = self._in_flight.get(topic, offset)
            if place is not None:
                places.append(place)
        return places

    def _lose(self, task: Task, key: Key, index: int) -> None:
        task.n_missing -= 1
        task.records[index] = None
        if task.done or not task.is_set:
            return
        # Keep its place: if it were acknowledged before the others have their outcome, a successor would take the
        # whole set for published.
        self._keep_place(task, key, index)
        task.lost = (*task.lost, key)
        self.fail(task, "lost")
        self._when_ready(task)

    def _keep_place(self, task: Task, key: Key, index: int) -> None:
        place = self._in_flight.topics[key[0]].add_lost(key[1])
        place.n_open += 1
        if isinstance(task.decision, SetDecision):
            place.item, place.moves = task.decision.members[index], True  # the log has the record's item
        if place.log_offset == NOT_NAMED:
            place.log_offset = task.log_offset
        task.places.append(place)

    def _when_ready(self, task: Task) -> None:
        if not task.ready or task.done:
            return
        for held in task.records:
            if held is not None and held.final:
                self._in_flight.mark(held)
        if not isinstance(task.decision, SetDecision):
            self._hand_over(task)
        elif task.failed is not None:
            self._flush(task.decision.stream)
        elif task.failing is None:
            self._fuse.append(task)

    # --- carrying out -----------------------------------------------------------------------------------------

    def fused(self, tasks: Iterable[Task]) -> None:
        """Note that the model has answered; the driver keeps the answers until they are published."""
        for task in tasks:
            task.fused = True
            if isinstance(task.decision, SetDecision):
                self._flush(task.decision.stream)

    def fail(self, task: Task, reason: str) -> None:
        """Propose that `task` fails: it cannot be fused or published. It takes effect when read back from the log."""
        if task.failing is not None or task.failed is not None or not isinstance(task.decision, SetDecision):
            return
        task.failing = reason
        if task.handed_over:
            self._too_late[tuple(task.keys)] = task
        self._proposals.append(FailedDecision(tuple(task.keys), reason, task.lost))

    def take_proposals(self) -> list[Decision]:
        """Return failures to write to the log before they are acted on; each once."""
        proposals, self._proposals = self._proposals, []
        return proposals

    def propose_failures_again(self) -> None:
        """Propose open failures once more: the claim under which they were proposed is void."""
        self._proposals = [
            FailedDecision(tuple(task.keys), task.failing, task.lost)
            for task in (*self._publish_order, *self._too_late.values())
            if task.failing is not None and task.failed is None
        ]

    def _flush(self, stream: str) -> None:
        for task in self._publish_order.take(stream):
            self._hand_over(task)

    def _hand_over(self, task: Task) -> None:
        self._publish.append(task)
        task.handed_over = True
        self._n_publishing += 1

    def published(self, tasks: Iterable[Task]) -> None:
        """Note tasks whose outputs are all on the broker."""
        for task in tasks:
            self._in_flight.counters.published(task, redone=task.log_offset < self.own_from)
            self._n_publishing -= 1
            for held in (*task.records, *task.places):
                if held is not None:
                    held.n_open -= 1
                    self._resolve_if_ended(held)

    def _resolve_if_ended(self, held: InFlightRecord) -> None:
        if held.final and held.n_open <= 0:
            self._in_flight.resolve(held)

    # --- what the owner asks ----------------------------------------------------------------------------------

    def take(self, commands: Commands) -> None:
        """Move pending work into `commands`."""
        commands.fuse, self._fuse = self._fuse, []
        commands.publish, self._publish = self._publish, []

    def n_awaited(self, topic: str) -> int:
        """How many records of `topic` decisions in the log wait for, as after a crash."""
        return self._awaited.n_between(topic, 0, 2**63)

    def n_unjudged(self, topic: str, start: int, stop: int) -> int:
        """How many of the offsets in [start, stop), which have not been delivered, no decision in the log names."""
        return stop - start - self._awaited.n_between(topic, start, stop)

    def accepted(self, topic: str, offsets: Iterable[int]) -> frozenset[int]:
        """Those of these records, which have not come yet, that a decision in the log has taken for good.

        It stands, also where the settings of today would refuse the record.
        """
        if topic not in self._awaited.topics():
            return frozenset()
        return frozenset(offset for offset in offsets if self._awaited.is_accepted(topic, offset))

    def awaited_topics(self) -> set[str]:
        """Return the topics with a record that a decided set waits for."""
        return self._awaited.topics()

    @property
    def busy(self) -> bool:
        """Whether anything can proceed without further records; a set after one that waits cannot."""
        return self._n_publishing > 0 or self._publish_order.any_can_go_on

    @property
    def n_to_do(self) -> int:
        """Decisions that are confirmed, and whose outputs are not all on the broker, though no record is missing."""
        return self._n_publishing + sum(task.ready for task in self._publish_order)

    def log_offsets(self) -> Iterator[int]:
        """Yield the log offsets of the first decisions whose records have not come yet; `NOT_NAMED` for none."""
        yield self._awaited.first_log_offset
