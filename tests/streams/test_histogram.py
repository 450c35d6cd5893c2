"""streams/histogram.py: buckets as Prometheus wants them."""

from __future__ import annotations

from streams.histogram import Histogram


def test_a_bound_belongs_to_its_own_bucket() -> None:
    """`le` means less or equal; the last bucket takes the rest."""
    histogram = Histogram((1, 10))
    for value in (0, 1, 1.5, 10, 11):
        histogram.add(value)
    assert list(histogram.cumulative()) == [(1, 2), (10, 4), (float("inf"), 5)]
    assert (histogram.n, histogram.total) == (5, 23.5)
