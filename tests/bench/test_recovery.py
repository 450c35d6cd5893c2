"""bench/recovery.py: what its figures are made of."""

from __future__ import annotations

from bench.recovery import Recovery, summary


def test_the_median_that_counts_is_that_of_the_last_stream() -> None:
    """A worker's streams flow again when each of them does."""
    found = [Recovery(8, 6.0, 6.5, float(seconds)) for seconds in (7, 9, 30)]
    totals = summary(found, 6_000)
    assert totals["limit_s"] == 8.0
    assert totals["first_median_s"] == 6.5
    assert (totals["all_median_s"], totals["all_p90_s"]) == (9.0, 30.0)
