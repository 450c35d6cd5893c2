"""What each lane's own log says of its records: late, duplicate, or good to join.

A worker's memory of a lane follows from the lane's log, but for one thing: a record that is late only because of an
earlier decision by timeout or pressure moves no watermark, and which record that is depends on when it was read. Two
memories are therefore kept: one that follows the decision log to the letter, and one in which such records have moved
their lane, as they had in the life of a worker that held them before it was cut off.
"""

from __future__ import annotations

from streams.join.clocks import Clocks
from streams.join.lane_clock import NEVER_MS
from streams.join.model import Item, RunDecision, UnfusedDecision
from streams.join.settings import JoinSettings
from streams.verify.fact import Fact
from streams.verify.facts import Facts

LaneName = tuple[str, str]
"""(stream, lane)."""


class Lanes:
    """The lanes of one partition number, with all their records read; marks the facts."""

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
        """The highest watermark that the lane ever had; beyond all times where deleted records may have raised it."""
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
        # Which streams and ids were too many depends on all lanes of a topic: once anything was forgotten for that, a
        # record on which the two memories differ may have been judged by either.
        is_sure = verdict == generous or not (self._by_the_log.forgotten or self._generous.forgotten)
        said = {generous} if is_sure else {verdict, generous}
        fact.late, fact.duplicate = is_sure and verdict == "late", is_sure and verdict == "duplicate"
        # What is deleted and in no decision may have made it late for a worker that read it.
        fact.maybe_late = "late" in said or item.topic in self._unknown
        fact.maybe_duplicate = "duplicate" in said
        if verdict == "late":
            fact.late_limit_ms = fact.maybe_limit_ms = self._by_the_log.watermark_ms(item.stream, item.lane)
        if generous == "late":
            fact.maybe_limit_ms = self._generous.watermark_ms(item.stream, item.lane)


def _moves_nothing(fact: Fact) -> bool:
    """Whether the record left its lane where it was, or may have: as the log says, or because it was gone too soon."""
    return (
        fact.may_be_decided
        or not fact.present
        or any(
            isinstance(placed.decision, UnfusedDecision | RunDecision)
            and placed.decision.reason in ("late", "unexpected")
            for placed in fact.decisions
        )
    )
