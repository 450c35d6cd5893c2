"""Counts sets that look shifted: with a tolerance near the period, one lost item can shift all later pairs.

tolerance 100, period 100; the image of 100 was lost
image  --0-------------------200-----------300-->      text 100 opens, image 200 is within the tolerance,
text   --0--------100--------200-----------300-->      but nearer to text 200, the opener lane's next item
"""

from __future__ import annotations

from collections import OrderedDict

from streams.join.earliest import opener_of
from streams.join.items import Item
from streams.join.state import Head

WARN_ABOVE = 0.01
LEAST_SETS = 100
MAX_PROBES = 10_000
"""Limit of sets that wait for the next item of their opener's lane; beyond it the oldest counts as not suspect."""

Probe = tuple[int, int, tuple[tuple[int, int], ...]]
"""(opener's time, opener's end, other members' (time, end)) of a set that may be suspect."""


class ShiftDetector:
    """How many sets have a member that lies nearer to the opener lane's next item than to the opener.

    Only a count: it may depend on arrival order, decisions never do.
    """

    __slots__ = ("_n_sets", "_probes", "n_suspect_pairs")

    def __init__(self) -> None:
        self._n_sets = self.n_suspect_pairs = 0
        self._probes: OrderedDict[tuple[str, str], Probe] = OrderedDict()

    @property
    def warns(self) -> bool:
        """Whether more than 1 % of at least 100 sets are suspect: the tolerance is too near the period."""
        return self._n_sets >= LEAST_SETS and self.n_suspect_pairs > WARN_ABOVE * self._n_sets

    def on_set(self, head: Head) -> None:
        """Take a decided set, after its members were removed from their lanes."""
        self._n_sets += 1
        if len(head.picked) < 2:
            return
        lane, opener = opener_of(head)
        others = tuple((entry[0], entry[2].end_ms) for other, entry in head.picked if other is not lane)
        if all(time_ms <= opener[2].end_ms for time_ms, _ in others):
            return  # at distance 0 from the opener: nothing is nearer
        probe = (opener[0], opener[2].end_ms, others)
        if lane.held:
            self._check(probe, lane.held[0][2])
        else:
            self._probes[opener[2].stream, lane.name] = probe
            if len(self._probes) > MAX_PROBES:
                self._probes.popitem(last=False)

    def on_held(self, item: Item) -> None:
        """Take the next item of a lane whose last opener had no successor when its set was decided."""
        if self._probes and (probe := self._probes.pop((item.stream, item.lane), None)) is not None:
            self._check(probe, item)

    def _check(self, probe: Probe, after: Item) -> None:
        _, opener_end_ms, others = probe
        for time_ms, end_ms in others:
            to_next_ms = max(0, after.time_ms - end_ms, time_ms - after.end_ms)
            if to_next_ms < time_ms - opener_end_ms:
                self.n_suspect_pairs += 1
                return
