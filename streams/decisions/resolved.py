"""What is kept of resolved records after an older open one: runs of offsets, and the few items that clocks need."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping

from streams.join.items import Item


class OffsetRuns:
    """A set of offsets stored as runs. Iterating gives (first, last) of each run, in order."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, first: int, last: int) -> None:
        """Add the offsets from `first` to `last`, both included."""
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1, low)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def drop_below(self, offset: int) -> None:
        """Remove every offset below `offset`."""
        n_gone = bisect_left(self._lasts, offset)
        del self._firsts[:n_gone], self._lasts[:n_gone]
        if self._firsts and self._firsts[0] < offset:
            self._firsts[0] = offset

    def __contains__(self, offset: int) -> bool:
        at = bisect_right(self._firsts, offset) - 1
        return at >= 0 and offset <= self._lasts[at]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        return len(self._firsts)


NOT_NAMED = -1
"""`log_offset` of a record that no decision in the log names."""
Lane = tuple[str, str]


def first_named(one: int, other: int) -> int:
    """Return the lower of two log offsets; either may be `NOT_NAMED`."""
    return max(one, other) if NOT_NAMED in (one, other) else min(one, other)


class Kept:
    """What is kept of resolved records between two open ones: the items that clocks need, and the first log offset.

        offset      7      8  9  10  11  12          t: 8, 10 and 12 are of one lane, 12 is later in time
                    open   t  u  t   u   t           kept of that lane: 12 alone

    Of two successive items of a lane, the first is dropped if the second is more than twice the lane's
    `out_of_order_ms` later and was not appended earlier: then the clock after the second is the same with or without
    the first (docs/design.md, section 12, "Held"). `log_offset` is that of the first decision that names one of the
    records.
    """

    __slots__ = ("_by_lane", "_disorder_ms", "last_offset", "log_offset", "n_items")

    def __init__(self, disorder_ms: Mapping[str, int]) -> None:
        self._disorder_ms = disorder_ms
        self._by_lane: dict[Lane, list[Item]] = {}
        self.n_items = 0
        self.last_offset = -1
        self.log_offset = NOT_NAMED

    def add(self, offset: int, log_offset: int, item: Item | None) -> None:
        """Add the record at `offset`, above all others; `item` if it moves its lane."""
        self.last_offset = offset
        self.log_offset = first_named(self.log_offset, log_offset)
        if item is not None:
            self._join((item.stream, item.lane), [item])
            self.n_items += 1

    def take_over(self, later: Kept) -> None:
        """Append what is kept of higher records before the same open one; `later` is used up."""
        self.last_offset = max(self.last_offset, later.last_offset)
        self.log_offset = first_named(self.log_offset, later.log_offset)
        self.n_items += later.n_items
        if len(self._by_lane) < len(later._by_lane):
            mine, self._by_lane = self._by_lane, later._by_lane
            for lane, items in mine.items():
                behind = self._by_lane.pop(lane, [])
                self._by_lane[lane] = items
                self._join(lane, behind)
        else:
            for lane, items in later._by_lane.items():
                self._join(lane, items)

    def _join(self, lane: Lane, later: list[Item]) -> None:
        """Append items of a lane, and drop those that become unnecessary."""
        items = self._by_lane.get(lane)
        if not items or not later:
            self._by_lane[lane] = later or items or []
            return
        reach_ms = 2 * self._disorder_ms.get(lane[1], 0)
        while items and items[-1].time_ms + reach_ms < later[0].time_ms and items[-1].append_ms <= later[0].append_ms:
            items.pop()
            self.n_items -= 1
        if len(items) < len(later):
            later[:0] = items
            self._by_lane[lane] = later
        else:
            items.extend(later)

    def split(self, offset: int) -> Kept | None:
        """Split off what is kept of records above `offset`; None if there is nothing."""
        if self.last_offset < offset:
            return None
        later = Kept(self._disorder_ms)
        for item in self:
            if item.offset > offset:
                later.add(item.offset, self.log_offset, item)
        later.last_offset, later.log_offset = self.last_offset, self.log_offset
        for lane, items in list(self._by_lane.items()):
            self._by_lane[lane] = [item for item in items if item.offset < offset]
        self.n_items = sum(map(len, self._by_lane.values()))
        self.last_offset = offset - 1
        return later

    def __iter__(self) -> Iterator[Item]:
        """Yield the items in offset order."""
        return iter(sorted((item for items in self._by_lane.values() for item in items), key=_offset))


def _offset(item: Item) -> int:
    return item.offset
