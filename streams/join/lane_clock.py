"""The memory of one (stream, lane): immutable and shared, except for several ids.

ids of a lane   None   none known: from a snapshot without ids
                int    the one seen at `max_time_ms`, as in nearly every lane without disorder
                Ids    several, changed in place: each `Clocks` has its own
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice

import msgspec

NEVER_MS = -(2**63)
"""Before every time: the watermark of an unknown lane."""

LaneKey = tuple[str, str]
"""(stream, lane)."""


class Ids:
    """The ids of one lane at or above its watermark with their times, oldest sighting first.

    `in_order`: the lane has no `out_of_order_ms`, so a new watermark is above all known ids.
    """

    __slots__ = ("_by_time", "_time_of")

    def __init__(self, pairs: Iterable[tuple[int, int]], *, in_order: bool) -> None:
        self._time_of = dict(pairs)
        self._by_time: list[tuple[int, int]] | None = None
        if not in_order:
            self._sort()

    def _sort(self) -> None:
        self._by_time = [(time_ms, id_hash) for id_hash, time_ms in self._time_of.items()]
        heapify(self._by_time)

    def __len__(self) -> int:
        return len(self._time_of)

    def __contains__(self, id_hash: int) -> bool:
        return id_hash in self._time_of

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._time_of.items())

    def copy(self) -> Ids:
        """Return an independent copy."""
        return Ids(self._time_of.items(), in_order=self._by_time is None)

    def see(self, id_hash: int, time_ms: int, watermark_ms: int) -> None:
        """Remember an id, or a known one's later time; drop ids below the watermark."""
        if self._time_of.get(id_hash, NEVER_MS) < time_ms:
            self._time_of.pop(id_hash, None)
            self._time_of[id_hash] = time_ms
            if self._by_time is not None:
                heappush(self._by_time, (time_ms, id_hash))
        by_time = self._by_time
        while by_time and by_time[0][0] < watermark_ms:
            below_ms, below = heappop(by_time)
            if self._time_of.get(below) == below_ms:  # otherwise the id came again with a later time
                del self._time_of[below]

    def only_at(self, time_ms: int) -> int | None:
        """Return the only id left if it has this time (it can be stored as an int then), else None."""
        for id_hash, its_ms in self._time_of.items() if len(self._time_of) == 1 else ():
            return id_hash if its_ms == time_ms else None
        return None

    def keep_newest(self, n_ids: int) -> int:
        """Forget the oldest sightings until `n_ids` are left; return how many were forgotten."""
        n_gone = max(0, len(self._time_of) - n_ids)
        if n_gone:
            self._time_of = dict(islice(self._time_of.items(), n_gone, None))
            if self._by_time is not None:
                self._sort()
        return n_gone


class LaneState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One (stream, lane) in a snapshot; `recent` has (id hash, time in ms), oldest sighting first."""

    stream: str
    lane: str
    topic: str
    max_time_ms: int
    append_ms: int
    recent: tuple[tuple[int, int], ...] = ()


class LaneClock(msgspec.Struct, frozen=True, gc=False):
    """Watermark and recent ids of one (stream, lane) at one place of its topic's log.

    `watermark_ms` is the largest time seen, `max_time_ms`, minus the lane's `out_of_order_ms`; it never decreases.
    `append_ms` is that of the newest record that moved the lane. `ids` are of records at or above the watermark.
    """

    key: LaneKey
    topic: str
    max_time_ms: int
    watermark_ms: int
    append_ms: int
    ids: int | Ids | None

    def knows(self, id_hash: int) -> bool:
        """Tell whether a record with this id was seen at or above the watermark."""
        ids = self.ids
        return ids == id_hash if ids is None or isinstance(ids, int) else id_hash in ids

    def state(self, recent: tuple[tuple[int, int], ...] | None = None) -> LaneState:
        """Return the lane for a snapshot; `recent`: its ids with their times, if there are several."""
        stream, lane = self.key
        if recent is None:
            recent = ((self.ids, self.max_time_ms),) if isinstance(self.ids, int) else ()
        return LaneState(stream, lane, self.topic, self.max_time_ms, self.append_ms, recent)

    @property
    def n_more_ids(self) -> int:
        """The number of ids remembered beside one."""
        return max(0, len(self.ids) - 1) if isinstance(self.ids, Ids) else 0

    def after(self, time_ms: int, id_hash: int, append_ms: int, out_of_order_ms: int) -> LaneClock:
        """Return the lane after a record that is not late."""
        ids, max_time_ms = self.ids, self.max_time_ms
        newest_append_ms = append_ms if append_ms > self.append_ms else self.append_ms
        if time_ms > max_time_ms and not out_of_order_ms:
            return LaneClock(self.key, self.topic, time_ms, time_ms, newest_append_ms, id_hash)
        newest_ms = time_ms if time_ms > max_time_ms else max_time_ms
        watermark_ms = newest_ms - out_of_order_ms if out_of_order_ms else newest_ms
        if isinstance(ids, Ids):
            ids.see(id_hash, time_ms, watermark_ms)
            only = ids.only_at(newest_ms)
            ids = ids if only is None else only
        elif ids is None or max_time_ms < watermark_ms or (ids == id_hash and time_ms >= max_time_ms):
            in_order = not out_of_order_ms
            ids = id_hash if time_ms == newest_ms else Ids([(id_hash, time_ms)], in_order=in_order)
        elif ids != id_hash:
            ids = Ids([(ids, max_time_ms), (id_hash, time_ms)], in_order=not out_of_order_ms)
        return LaneClock(self.key, self.topic, newest_ms, watermark_ms, newest_append_ms, ids)
