"""Which records are held, and how far each topic is resolved without a gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from streams.decisions.load import Load
from streams.decisions.naming import Key
from streams.decisions.records import Held, Record
from streams.decisions.tally import Tally


class TopicHold:
    """The held records of one topic of one partition, in offset order.

        offset      7        8     9        10
                    resolved open  resolved open      acknowledged: 8; 9 waits for 8

    `position` is the next offset to arrive; `acknowledged` the next one to be read after a restart.
    """

    __slots__ = ("_held", "_in_order", "_tally", "acknowledged", "n_bytes", "n_held", "position", "topic")

    def __init__(self, topic: str, committed: int, tally: Tally, *, in_order: bool = True) -> None:
        self.topic, self.position, self.acknowledged = topic, committed, committed
        self._held: dict[int, Held] = {}
        self._in_order, self._tally = in_order, tally
        self.n_held = 0
        self.n_bytes = 0

    @property
    def resolved_below(self) -> int:
        """Everything below it is resolved; below `acknowledged` while places of records are held that were deleted."""
        return min(self.acknowledged, next(iter(self._held), self.acknowledged))

    def add(self, record: Record) -> Held:
        """Hold a record that has just arrived."""
        held = self._held[record.offset] = Held(self.topic, record)
        self.position = record.offset + 1
        self.n_held += 1
        self.n_bytes += record.n_bytes
        self._tally.taken[self.topic] += 1
        return held

    def add_lost(self, offset: int) -> Held:
        """Hold the place of a record that is gone, so that the prefix waits for the outcome of its set."""
        held = self._held.get(offset)
        if held is None:
            held = Held(self.topic, Record(offset, None, None, 0, None), is_lost=True)
            is_last = not self._held or next(reversed(self._held)) < offset
            self._held[offset] = held
            if not is_last:
                self._held = dict(sorted(self._held.items()))
            self.n_held += 1
            self._tally.taken[self.topic] += 1
        return held

    def get(self, offset: int) -> Held | None:
        """The record at `offset`, or the place of a lost one, if it is still above the acknowledged prefix."""
        return self._held.get(offset)

    def release(self, held: Held, n_bytes: int) -> None:
        """The outcome of `held` is on the broker: give up its payload."""
        self.n_held -= 1
        self.n_bytes -= n_bytes
        held.record = None
        self._tally.let_go[held.outcome] += 1

    def advance(self) -> list[Held]:
        """Move the acknowledged prefix as far as it goes; the records that it passed, in offset order."""
        if not self._in_order:
            return self._advance_past_gaps()
        passed: list[Held] = []
        for held in self._held.values():
            if held.record is not None:
                break
            passed.append(held)
        for held in passed:
            del self._held[held.offset]
        if not self._held:
            self.acknowledged = self.position
        elif passed:  # the place of a lost record may lie below where the topic begins now
            self.acknowledged = max(self.acknowledged, passed[-1].offset + 1)
        return passed

    def _advance_past_gaps(self) -> list[Held]:
        passed = [held for held in self._held.values() if held.resolved]
        for held in passed:
            del self._held[held.offset]
            self.acknowledged = max(self.acknowledged, held.offset + 1)
        return passed

    def __iter__(self) -> Iterator[Held]:
        return iter(self._held.values())

    def __bool__(self) -> bool:
        return bool(self._held)


class Holds:
    """The held records of all topics of one partition number, and how many of them are on their way."""

    def __init__(self, committed: Mapping[str, int], tally: Tally | None = None, *, in_order: bool = True) -> None:
        self.tally = Tally() if tally is None else tally
        self.topics = {
            topic: TopicHold(topic, offset, self.tally, in_order=in_order) for topic, offset in committed.items()
        }
        self._way_events = 0
        self._way_bytes = 0

    def get(self, topic: str, offset: int) -> Held | None:
        """A record that has arrived and is not acknowledged."""
        return self.topics[topic].get(offset)

    def mark(self, held: Held) -> None:
        """`held` is on its way: it will be resolved without further input."""
        if not held.on_its_way and held.record is not None:
            held.on_its_way = True
            self._way_events += 1
            self._way_bytes += held.record.n_bytes

    def unmark(self, held: Held) -> None:
        """`held` is undecided again, or resolved."""
        if held.on_its_way and held.record is not None:
            held.on_its_way = False
            self._way_events -= 1
            self._way_bytes -= held.record.n_bytes

    def resolve(self, held: Held) -> None:
        """The outcome of `held` is on the broker."""
        if held.record is not None:
            self.unmark(held)
            self.topics[held.topic].release(held, held.record.n_bytes)

    def hand_back(self) -> None:
        """Hold nothing any more: whoever is assigned next takes it again. Nothing else may be called after this."""
        for hold in self.topics.values():
            self.tally.let_go["handed_back"] += hold.n_held
            hold.n_held = hold.n_bytes = 0
        self._way_events = self._way_bytes = 0

    @property
    def held(self) -> Load:
        """Everything not resolved."""
        n_events = n_bytes = 0
        for hold in self.topics.values():
            n_events += hold.n_held
            n_bytes += hold.n_bytes
        return Load(n_events, n_bytes)

    @property
    def on_its_way(self) -> Load:
        """What is proposed or decided with all members here, and not yet resolved."""
        return Load(self._way_events, self._way_bytes)

    def log_offsets(self) -> Iterator[int]:
        """Where the first decisions stand in the log that name held records; `NOT_NAMED` for the others."""
        return (held.log_offset for hold in self.topics.values() for held in hold)

    @property
    def positions(self) -> dict[str, int]:
        """Per topic the next offset to arrive."""
        return {topic: hold.position for topic, hold in self.topics.items()}

    def resolved(self) -> Iterator[Key]:
        """What is resolved above the acknowledged prefix of its topic."""
        return ((hold.topic, held.offset) for hold in self.topics.values() for held in hold if held.resolved)

    @property
    def acknowledged(self) -> dict[str, int]:
        """Per topic the next offset to be read after a restart."""
        return {topic: hold.acknowledged for topic, hold in self.topics.items()}

    @property
    def resolved_below(self) -> dict[str, int]:
        """Per topic an offset below which everything is resolved."""
        return {topic: hold.resolved_below for topic, hold in self.topics.items()}
