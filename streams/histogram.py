"""A histogram like Prometheus's without locks: 0.1 us a value.

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
"""Bounds for times from ms to minutes."""


class Histogram:
    """Values by bucket, and their sum. Not thread-safe."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0
        """The sum of all values."""

    def add(self, value: float, n: int = 1) -> None:
        """Count a value `n` times; a value equal to a bound is in that bound's bucket."""
        self.counts[bisect_left(self.bounds, value)] += n
        self.total += n * value

    @property
    def n(self) -> int:
        """The number of values."""
        return sum(self.counts)

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Yield (upper bound, number of values up to it); the last bound is infinite."""
        n_so_far = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            n_so_far += count
            yield bound, n_so_far
