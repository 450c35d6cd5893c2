"""Counts values by size, as a Prometheus histogram does, without its locks: a tenth of a microsecond for a value.

bounds     1      10     100
counts     5  |   2   |   0   |   1       value <= 1: 5, <= 10: 7, <= 100: 7, any: 8
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

LATENCY_BOUNDS_MS = (
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    30_000,
    60_000,
    300_000,
    3_600_000,
)
"""For whatever should take milliseconds and may take minutes."""


class Histogram:
    """Values by bucket, and their sum. For one thread; who shares it brings a lock."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0
        """The sum of all values."""

    def add(self, value: float, n: int = 1) -> None:
        """Count one value, or `n` equal ones; a bound belongs to its own bucket."""
        self.counts[bisect_left(self.bounds, value)] += n
        self.total += n * value

    @property
    def n(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """(upper bound, how many values are not above it), the last with an infinite bound."""
        n_so_far = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            n_so_far += count
            yield bound, n_so_far
