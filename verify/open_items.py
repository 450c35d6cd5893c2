"""Judges records by their lane's own log, and tracks the undecided items of a stream."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from streams.join.clocks import Clocks
from streams.join.items import Item, RunDecision, UnfusedDecision
from streams.join.lane_clock import NEVER_MS
from streams.join.settings import JoinSettings
from syncline.wire.contract import media_topic
from verify.partition_facts import Facts
from verify.record_facts import Fact

LaneName = tuple[str, str]
"""(stream, lane)."""


class Lanes:
    """Reads all records of one partition number lane by lane, and marks the facts."""

    def __init__(self, facts: Facts, settings: JoinSettings) -> None:
        self._settings = settings
        self._by_the_log, self._generous = Clocks(settings), Clocks(settings)
        self._highest: dict[LaneName, int] = {}
        self._born_ms: dict[LaneName, int] = {}
        self._reached_ms: dict[LaneName, int] = {}
        self._unknown = facts.unknown
        self.newest_append_ms = 0
        for place in sorted(facts.by_place):
            fact = facts.by_place[place]
            if fact.item is not None and fact.expected:
                self._read(fact, fact.item)

    def reached_ms(self, stream: str, lane: str, topic: str) -> int:
        """Return the lane's highest watermark; above all times if deleted records may have raised it."""
        return 2**63 if topic in self._unknown else self._reached_ms.get((stream, lane), NEVER_MS)

    def _read(self, fact: Fact, item: Item) -> None:
        name = (item.stream, item.lane)
        self.newest_append_ms = max(self.newest_append_ms, item.append_ms)
        if any(clocks.is_forgotten(*name, item.append_ms) for clocks in (self._by_the_log, self._generous)):
            self._born_ms[name] = item.append_ms
        fact.born_ms = self._born_ms[name]
        self._judge(fact, item)
        if not _moves_nothing(fact):
            self._by_the_log.move(item)
        self._generous.move(item)
        watermark_ms = self._generous.watermark_ms(*name)
        fact.rewound = not fact.late and item.time_ms < self._highest.get(name, NEVER_MS)
        self._highest[name] = max(watermark_ms, self._highest.get(name, NEVER_MS))
        reached_ms = item.time_ms - self._settings.out_of_order_ms.get(item.lane, 0)
        self._reached_ms[name] = max(reached_ms, self._reached_ms.get(name, NEVER_MS))

    def _judge(self, fact: Fact, item: Item) -> None:
        verdict, generous = self._by_the_log.judge(item), self._generous.judge(item)
        # What was forgotten as too much depends on all lanes of a topic. Once anything was, a record on which the two
        # memories differ may have been judged by either.
        is_sure = verdict == generous or not (self._by_the_log.forgotten or self._generous.forgotten)
        said = {generous} if is_sure else {verdict, generous}
        fact.late, fact.duplicate = is_sure and verdict == "late", is_sure and verdict == "duplicate"
        # A deleted record in no decision may have made it late for a worker that read that record.
        fact.maybe_late = "late" in said or item.topic in self._unknown
        fact.maybe_duplicate = "duplicate" in said
        if verdict == "late":
            fact.late_limit_ms = fact.maybe_limit_ms = self._by_the_log.watermark_ms(item.stream, item.lane)
        if generous == "late":
            fact.maybe_limit_ms = self._generous.watermark_ms(item.stream, item.lane)


def _moves_nothing(fact: Fact) -> bool:
    """Tell whether the record did not, or may not have, moved its lane: by the log, or because it was deleted early."""
    return (
        fact.may_be_decided
        or not fact.present
        or any(
            isinstance(placed.decision, UnfusedDecision | RunDecision)
            and placed.decision.reason in ("late", "unexpected")
            for placed in fact.decisions
        )
    )


def item_of(fact: Fact) -> Item:
    """Return the item of a fact that joins."""
    if fact.item is None:
        raise ValueError(f"{fact.place} has no item")
    return fact.item


class OpenLane:
    """The open items of one lane in (time, offset) order, with fast closing and finding of the next."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._facts = sorted(facts, key=lambda fact: (item_of(fact).time_ms, fact.place[1]))
        self._times = [item_of(fact).time_ms for fact in self._facts]
        self._next = list(range(len(self._facts) + 1))
        self._at = {fact.place: index for index, fact in enumerate(self._facts)}

    def __contains__(self, fact: Fact) -> bool:
        index = self._at.get(fact.place)
        return index is not None and self._next[index] == index

    def close(self, fact: Fact) -> None:
        """Remove an item from the join."""
        index = self._at.get(fact.place)
        if index is not None:
            self._next[index] = index + 1

    def from_time(self, time_ms: int) -> Iterator[Fact]:
        """Yield open items at or after `time_ms`, in order."""
        index = self._open_at(0 if time_ms == NEVER_MS else bisect_left(self._times, time_ms))
        while index < len(self._facts):
            yield self._facts[index]
            index = self._open_at(index + 1)

    def _open_at(self, index: int) -> int:
        """Return the first open index at or after `index`, and shorten the path for later calls."""
        end = index
        while self._next[end] != end:
            end = self._next[end]
        while self._next[index] != end:
            self._next[index], index = end, self._next[index]
        return end


class OpenStream:
    """One stream's open items by lane, and its bound from decisions by timeout or pressure.

    The lanes have only items that every worker surely held. Whether an item below the bound, or of a forgotten lane,
    was held depends on when it was read: such an item counts only if the decision names it (`extra`).
    """

    def __init__(self, name: str, facts: Iterable[Fact], lanes: Lanes, settings: JoinSettings) -> None:
        self.name, self.settings, self._reached = name, settings, lanes
        self.lane_names = [lane.name for lane in settings.lanes_of(name)]
        self.order = {lane: index for index, lane in enumerate(self.lane_names)}
        self._topics = {lane.name: media_topic(lane.modality) for lane in settings.lanes_of(name)}
        by_lane: dict[str, list[Fact]] = {lane: [] for lane in self.lane_names}
        for fact in facts:
            if fact.joins and fact.is_surely_held:
                by_lane[item_of(fact).lane].append(fact)
        self.lanes = {lane: OpenLane(of_lane) for lane, of_lane in by_lane.items()}
        self.bound_ms = NEVER_MS
        self.bound_append_ms = 0
        """The append time of the newest member of the decision that set the bound."""

    def by_time(self, fact: Fact) -> tuple[int, int, int]:
        """A sort key in the stream's order of ties."""
        return item_of(fact).time_ms, self.order[item_of(fact).lane], fact.place[1]

    def reached_ms(self, lane: str) -> int:
        """Return a lane's highest watermark."""
        return self._reached.reached_ms(self.name, lane, self._topics[lane])

    def open_in(self, lane: str, extra: Iterable[Fact], limit_ms: int | None = None) -> Iterator[Fact]:
        """Yield open items of a lane by (time, offset), up to `limit_ms`, merged with those of `extra`."""
        unsure = [fact for fact in extra if item_of(fact).lane == lane and not self._surely(fact)]
        unsure.sort(key=lambda fact: (item_of(fact).time_ms, fact.place[1]), reverse=True)
        for fact in self.lanes[lane].from_time(self.bound_ms):
            time_ms = item_of(fact).time_ms
            while unsure and (item_of(unsure[-1]).time_ms, unsure[-1].place[1]) < (time_ms, fact.place[1]):
                yield unsure.pop()
            if limit_ms is not None and time_ms > limit_ms:
                break
            yield fact
        yield from reversed(unsure)

    def _surely(self, fact: Fact) -> bool:
        return fact in self.lanes[item_of(fact).lane] and item_of(fact).time_ms >= self.bound_ms

    def close(self, fact: Fact) -> None:
        """Remove an item that a decision has ended."""
        self.lanes[item_of(fact).lane].close(fact)

    def raise_bound(self, bound_ms: int, append_ms: int) -> None:
        """Raise the bound after a decision by timeout or pressure: older items that come later are late."""
        if bound_ms >= self.bound_ms:
            self.bound_ms, self.bound_append_ms = bound_ms, append_ms

    def may_have_forgotten_the_bound(self, fact: Fact) -> bool:
        """Tell whether the stream may have been silent long enough before this item for its bound to be dropped."""
        born_later = fact.born_ms > self.bound_append_ms
        return born_later and self._reached.newest_append_ms - self.bound_append_ms > self.settings.stream_ttl_ms
