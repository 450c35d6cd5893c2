"""Offsets of one topic as runs of neighbours."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class OffsetRuns:
    """A set of offsets that takes as much room as it has gaps. Iterating gives (first, last) of each run, in order."""

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
        """Forget every offset below `offset`."""
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
