"""Open records: what they hold, and how far each topic is resolved without a gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from streams.decisions.counters import Counters
from streams.decisions.entries import ResolvedRun
from streams.decisions.records import InFlightRecord, Record
from streams.decisions.resolved import Kept, OffsetRuns, first_named
from streams.join.items import Item


class Amount(NamedTuple):
    """A number of records and their bytes."""

    events: int
    n_bytes: int


NONE = -1
"""No offset."""
KEPT_PER_EVENT = 8
"""How many kept items of resolved records count as one held event."""
KEPT_BYTES = 1_024
"""Size of a resolved record's kept item, with a long stream name."""


class OffsetTracker:
    """The open records of one topic partition in offset order, and what is kept of later resolved ones.

        offset      7        8     9        10
                    resolved open  resolved open      acknowledged: 8; 9 waits for 8

    `position` is the next offset to arrive; `acknowledged` the next one to read after a restart. A resolved record is
    dropped, except for its offset, in a run of neighbours, and its item for the lane's clock (`Kept`): both are stored
    in the open record before it. Open records are linked by offset.
    """

    __slots__ = (
        "_counters",
        "_disorder_ms",
        "_first",
        "_front_items",
        "_front_last",
        "_front_log_offset",
        "_held",
        "_last",
        "_resolved",
        "acknowledged",
        "n_bytes",
        "n_held",
        "n_kept_items",
        "position",
        "topic",
    )  # fmt: skip

    def __init__(
        self,
        topic: str,
        committed: int,
        counters: Counters,
        *,
        disorder_ms: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.topic, self.position, self.acknowledged = topic, committed, committed
        self._held: dict[int, InFlightRecord] = {}
        self._first = self._last = NONE
        self._resolved = OffsetRuns()
        self._front_last = self._front_log_offset = NONE
        self._front_items: list[Item] = []
        """Resolved before the first open record, until `advance`: items, the last offset, the first log offset."""
        self._counters, self._disorder_ms = counters, disorder_ms
        self.n_held = self.n_bytes = self.n_kept_items = 0

    @property
    def resolved_below(self) -> int:
        """Everything below this offset is resolved. Below `acknowledged` while places of deleted records are held."""
        first_resolved = next(((first for first, _ in self._resolved)), self.acknowledged)
        first_open = self._first if self._held else self.acknowledged
        return min(self.acknowledged, first_open, first_resolved)

    @property
    def n_kept(self) -> int:
        """The number of items and offset runs kept of records resolved after an open one."""
        return self.n_kept_items + len(self._resolved)

    @property
    def waits_for_a_decision(self) -> bool:
        """Whether the first open record is undecided."""
        return self._first != NONE and not self._held[self._first].final

    def add(self, record: Record) -> InFlightRecord:
        """Hold a record that has arrived."""
        held = InFlightRecord(self.topic, record)
        self._insert(held, self._last)
        self.position = record.offset + 1
        self.n_bytes += record.n_bytes
        return held

    def add_lost(self, offset: int) -> InFlightRecord:
        """Hold the place of a lost record, so that the acknowledged prefix waits for its set's outcome."""
        held = self._held.get(offset)
        if held is None:
            held = InFlightRecord(self.topic, Record(offset, None, None, 0, None), is_lost=True)
            before = self._last
            while before > offset:
                before = self._held[before].before
            self._insert(held, before)
            earlier = self._held.get(before)
            if earlier is not None and earlier.kept is not None:
                held.kept = earlier.kept.split(offset)
        return held

    def _insert(self, held: InFlightRecord, before: int) -> None:
        """Link a record in after the open one at offset `before`."""
        earlier = self._held.get(before)
        held.before, held.after = before, self._first if earlier is None else earlier.after
        self._link(before, held.after, held.offset, held.offset)
        self._held[held.offset] = held
        self.n_held += 1
        self._counters.taken[self.topic] += 1

    def _link(self, before: int, after: int, follows: int, precedes: int) -> None:
        """Link `follows` after the open record at `before`, and `precedes` before the one at `after`."""
        if before == NONE:
            self._first = follows
        else:
            self._held[before].after = follows
        if after == NONE:
            self._last = precedes
        else:
            self._held[after].before = precedes

    def get(self, offset: int) -> InFlightRecord | None:
        """Return the open record at `offset`, or the place of a lost one."""
        return self._held.get(offset)

    def is_resolved(self, offset: int) -> bool:
        """Tell whether the record at `offset` was resolved here, after an older open one."""
        return offset not in self._held and offset in self._resolved

    def release(self, held: InFlightRecord, n_bytes: int) -> None:
        """Drop a record whose outcome is on the broker, except for what its lane's clock needs."""
        self.n_held -= 1
        self.n_bytes -= n_bytes
        held.record = None
        self._counters.let_go[held.outcome] += 1
        del self._held[held.offset]
        self._link(held.before, held.after, held.after, held.before)
        self._resolved.add(held.offset, held.offset)
        earlier = self._held.get(held.before)
        if earlier is None:
            self._to_front(held)
        else:
            self._keep(earlier, held)

    def _keep(self, earlier: InFlightRecord, held: InFlightRecord) -> None:
        if earlier.kept is None:
            earlier.kept = Kept(self._disorder_ms)
        self.n_kept_items -= earlier.kept.n_items
        earlier.kept.add(held.offset, held.log_offset, held.item if held.moves else None)
        if held.kept is not None:
            self.n_kept_items -= held.kept.n_items
            earlier.kept.take_over(held.kept)
            held.kept = None
        self.n_kept_items += earlier.kept.n_items

    def _to_front(self, held: InFlightRecord) -> None:
        self._front_last = max(self._front_last, held.offset)
        self._front_log_offset = first_named(self._front_log_offset, held.log_offset)
        if held.moves and held.item is not None:
            self._front_items.append(held.item)
        if held.kept is not None:
            self._front_last = max(self._front_last, held.kept.last_offset)
            self._front_log_offset = first_named(self._front_log_offset, held.kept.log_offset)
            self._front_items += held.kept
            self.n_kept_items -= held.kept.n_items
            held.kept = None

    def advance(self) -> list[Item]:
        """Extend the acknowledged prefix; return the passed items for the clocks, in offset order."""
        if not self._held:
            self.acknowledged = self.position
            self._resolved.drop_below(self.position)
        elif self._front_last != NONE:  # a lost record's place may be below the topic's present start
            self.acknowledged = max(self.acknowledged, self._front_last + 1)
            self._resolved.drop_below(self._front_last + 1)
        passed, self._front_items = self._front_items, []
        self._front_last = self._front_log_offset = NONE
        return passed

    def resolved(self) -> Iterator[ResolvedRun]:
        """Yield the runs resolved above the acknowledged prefix."""
        return (ResolvedRun(self.topic, first, last) for first, last in self._resolved)

    def log_offsets(self) -> Iterator[int]:
        """Where the first decisions stand in the log on records that are not acknowledged; `NOT_NAMED` for others."""
        yield self._front_log_offset
        for held in self._held.values():
            yield held.log_offset
            if held.kept is not None:
                yield held.kept.log_offset

    def in_order(self) -> Iterator[InFlightRecord | Item]:
        """Yield what is not acknowledged, in offset order: open records, and resolved ones' items for the clocks."""
        yield from self._front_items
        for held in self:
            yield held
            if held.kept is not None:
                yield from held.kept

    def __iter__(self) -> Iterator[InFlightRecord]:
        """Yield the open records in offset order."""
        offset = self._first
        while offset != NONE:
            held = self._held[offset]
            yield held
            offset = held.after

    def __bool__(self) -> bool:
        return bool(self._held)


class InFlight:
    """The held records of all topics of one partition number, and how many of them are on their way.

    `disorder_ms`: `out_of_order_ms` by lane.
    """

    def __init__(
        self,
        committed: Mapping[str, int],
        counters: Counters | None = None,
        *,
        disorder_ms: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.counters = Counters() if counters is None else counters
        self.topics = {
            topic: OffsetTracker(topic, offset, self.counters, disorder_ms=disorder_ms)
            for topic, offset in committed.items()
        }
        self._way_events = 0
        self._way_bytes = 0

    def get(self, topic: str, offset: int) -> InFlightRecord | None:
        """Return a record that has arrived and is not resolved."""
        return self.topics[topic].get(offset)

    def mark(self, held: InFlightRecord) -> None:
        """Count `held` as on its way: it will be resolved without further input."""
        if not held.on_its_way and held.record is not None:
            held.on_its_way = True
            self._way_events += 1
            self._way_bytes += held.record.n_bytes

    def unmark(self, held: InFlightRecord) -> None:
        """Count `held` as not on its way: it is undecided again, or resolved."""
        if held.on_its_way and held.record is not None:
            held.on_its_way = False
            self._way_events -= 1
            self._way_bytes -= held.record.n_bytes

    def resolve(self, held: InFlightRecord) -> None:
        """Resolve `held`, whose outcome is on the broker."""
        if held.record is not None:
            self.unmark(held)
            self.topics[held.topic].release(held, held.record.n_bytes)

    def hand_back(self) -> None:
        """Let go of everything for the next owner. Call nothing else afterwards."""
        for hold in self.topics.values():
            self.counters.let_go["handed_back"] += hold.n_held
            hold.n_held = hold.n_bytes = 0
        self._way_events = self._way_bytes = 0

    @property
    def held(self) -> Amount:
        """Everything not resolved."""
        n_events = n_bytes = 0
        for hold in self.topics.values():
            n_events += hold.n_held
            n_bytes += hold.n_bytes
        return Amount(n_events, n_bytes)

    @property
    def n_kept(self) -> int:
        """What is kept of records that were resolved behind an open one."""
        return sum(hold.n_kept for hold in self.topics.values())

    @property
    def load(self) -> Amount:
        """What counts against the limits: held records, and what is kept of resolved ones."""
        return self._with_kept(self.n_kept)

    @property
    def load_for_pressure(self) -> Amount:
        """The load without what is kept after a decided record, which deciding others does not free."""
        return self._with_kept(sum(hold.n_kept for hold in self.topics.values() if hold.waits_for_a_decision))

    def _with_kept(self, n_kept: int) -> Amount:
        held = self.held
        return Amount(held.events + n_kept // KEPT_PER_EVENT, held.n_bytes + n_kept * KEPT_BYTES)

    @property
    def on_its_way(self) -> Amount:
        """What is proposed, or decided with all members here, and not resolved."""
        return Amount(self._way_events, self._way_bytes)

    def log_offsets(self) -> Iterator[int]:
        """Where the first decisions stand in the log on records that are not acknowledged; `NOT_NAMED` for others."""
        return chain.from_iterable(hold.log_offsets() for hold in self.topics.values())

    @property
    def positions(self) -> dict[str, int]:
        """The next offset to arrive, by topic."""
        return {topic: hold.position for topic, hold in self.topics.items()}

    def resolved(self) -> Iterator[ResolvedRun]:
        """Yield the runs resolved above their topic's acknowledged prefix."""
        return chain.from_iterable(hold.resolved() for hold in self.topics.values())

    @property
    def acknowledged(self) -> dict[str, int]:
        """The next offset to read after a restart, by topic."""
        return {topic: hold.acknowledged for topic, hold in self.topics.items()}

    @property
    def resolved_below(self) -> dict[str, int]:
        """The offset below which everything is resolved, by topic."""
        return {topic: hold.resolved_below for topic, hold in self.topics.items()}
