"""Back-pressure: which topics of a partition number may be read, and when pressure must decide.

Held: everything not resolved. On its way: proposed, or decided with all members here; its room becomes free without
further input. The limits are one partition number's share of its worker's, over all topics together (docs/design.md,
"Back-pressure").

      held   0 ......... soft ................................. hard ........
      read   everything  what a decided set waits for, if any;  only what a decided set waits for;
                         nothing while soft/2 is on its way;    pressure decides the oldest set
                         else one topic that is behind, first
                         one that undecided sets wait for
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import NamedTuple

from streams.decisions.in_flight import Amount, InFlight
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings


class TopicReadState(NamedTuple):
    """The state of one topic, as input to the rule."""

    held_bytes: int
    caught_up: bool
    awaited: bool
    """A decided set waits for one of its records."""
    wanted: bool = False
    """An undecided set waits for one of its lanes."""


class Backpressure:
    """The rules of back-pressure for one partition number. Before `share_limits` it has all of its worker's limits."""

    def __init__(self, settings: JoinSettings) -> None:
        self._settings = settings
        self.share_limits(1)

    def share_limits(self, n_shares: int) -> None:
        """Use one of `n_shares` equal shares of the worker's limits."""
        settings = self._settings
        self._soft = soft = limits_of_share(settings, n_shares)
        self._hard = Amount(soft.events * settings.hard_limit_factor, soft.n_bytes * settings.hard_limit_factor)

    @property
    def share(self) -> Amount:
        """The soft limits of this partition number."""
        return self._soft

    def over_soft(self, held: Amount) -> bool:
        """Whether reading must be rationed."""
        return held.events > self._soft.events or held.n_bytes > self._soft.n_bytes

    def over_hard(self, held: Amount) -> bool:
        """Whether reading must stop."""
        return held.events > self._hard.events or held.n_bytes > self._hard.n_bytes

    def must_press(self, held: Amount, on_its_way: Amount) -> bool:
        """Tell whether the oldest undecided set must be decided now, because nothing else frees room."""
        return self.over_hard(held) and not self._frees_itself(on_its_way)

    def readable(
        self, held: Amount, on_its_way: Amount, topics: Mapping[str, TopicReadState], *, alive: bool = False
    ) -> frozenset[str]:
        """Return the topics that may be read now; `alive`: a lane that an undecided set waits for advanced lately."""
        if not self.over_soft(held):
            return frozenset(topics)
        # What is on its way becomes free only when earlier sets are complete: after a crash the first set of a
        # stream may wait for a record that comes after those of many later sets.
        awaited = frozenset(name for name, state in topics.items() if state.awaited)
        if awaited or self.over_hard(held) or self._frees_itself(on_its_way):
            return awaited
        return self._one_behind(topics, alive=alive)

    def _one_behind(self, topics: Mapping[str, TopicReadState], *, alive: bool) -> frozenset[str]:
        # Only topics that undecided sets wait for help. If those are caught up and still advance, wait: reading a
        # backlog beside them would fill the room up to the hard limit, and pressure would decide sets early whose
        # members are about to come.
        behind = [(name, state) for name, state in topics.items() if not state.caught_up]
        wanted = frozenset(name for name, state in topics.items() if state.wanted)
        if alive and wanted and all(topics[name].caught_up for name in wanted):
            return wanted
        behind = [(name, state) for name, state in behind if state.wanted] or behind
        # The topic with the fewest held bytes. Choosing the one furthest behind in event time deadlocks if it is idle.
        ranked = sorted((state.held_bytes, name) for name, state in behind)
        return frozenset(name for _, name in ranked[:1])

    def _frees_itself(self, on_its_way: Amount) -> bool:
        return 2 * on_its_way.events >= self._soft.events or 2 * on_its_way.n_bytes >= self._soft.n_bytes


def limits_of_share(settings: JoinSettings, n_shares: int) -> Amount:
    """Return the soft limits of one of a worker's `n_shares` partition numbers."""
    return Amount(max(1, settings.max_held_events // n_shares), max(1, settings.max_held_bytes // n_shares))


class ReadingState:
    """The topics that one partition number reads now."""

    def __init__(self, backpressure: Backpressure, in_flight: InFlight) -> None:
        self._backpressure, self._in_flight = backpressure, in_flight
        self._high_water: dict[str, int] = {}
        self._now: frozenset[str] = frozenset(in_flight.topics)

    def share_limits(self, n_shares: int) -> None:
        """Use one of `n_shares` equal shares of the worker's limits."""
        self._backpressure.share_limits(n_shares)

    @property
    def share(self) -> Amount:
        """The soft limits of this partition number."""
        return self._backpressure.share

    def high_water(self, topic: str, high_water: int) -> None:
        """Take the broker's answer for `topic`."""
        self._high_water[topic] = high_water

    @property
    def rationed(self) -> bool:
        """Whether more is held than the soft limit, so that it must be known which topics are behind."""
        return self._backpressure.over_soft(self._in_flight.load)

    @property
    def must_press(self) -> bool:
        """Whether pressure must decide."""
        return self._backpressure.must_press(self._in_flight.load_for_pressure, self._in_flight.on_its_way)

    def stop(self) -> frozenset[str] | None:
        """Read nothing; return None if nothing is read already."""
        if not self._now:
            return None
        self._now = frozenset()
        return self._now

    def change(self, awaited: Set[str], join: PartitionJoin | None, now_ms: int) -> frozenset[str] | None:
        """Return the topics to read from now on, or None without a change; `awaited`: decided sets wait for them."""
        if not self.rationed:
            now = frozenset(self._in_flight.topics)
        else:
            topics = self._topics(awaited, join.awaits.topics if join is not None else set())
            alive = join is not None and join.awaits.is_alive(now_ms)
            now = self._backpressure.readable(self._in_flight.load, self._in_flight.on_its_way, topics, alive=alive)
        if now == self._now:
            return None
        self._now = now
        return now

    def _topics(self, awaited: Set[str], wanted: Set[str]) -> dict[str, TopicReadState]:
        states: dict[str, TopicReadState] = {}
        for topic, hold in self._in_flight.topics.items():
            high_water = self._high_water.get(topic)
            caught_up = high_water is not None and hold.position >= high_water
            states[topic] = TopicReadState(hold.n_bytes, caught_up, topic in awaited, topic in wanted)
        return states
