"""Laws of `streams.decisions.resolved`."""

from __future__ import annotations

from random import Random

import pytest

from streams.decisions.resolved import OffsetRuns


@pytest.mark.parametrize("seed", range(20))
def test_runs_hold_what_a_set_of_the_same_offsets_holds(seed: int) -> None:
    """Whatever is added in whatever order; neighbours are in one run, in order."""
    random, runs, expected = Random(seed), OffsetRuns(), set[int]()
    for _ in range(100):
        first = random.randrange(80)
        last = first + random.choice((0, 0, 0, 5))
        runs.add(first, last)
        expected.update(range(first, last + 1))
        if random.random() < 0.1:
            runs.drop_below(first)
            expected = {offset for offset in expected if offset >= first}
        assert [offset for first, last in runs for offset in range(first, last + 1)] == sorted(expected)
        assert [offset for offset in range(90) if offset in runs] == sorted(expected)
        assert len(runs) == sum(offset - 1 not in expected for offset in expected)
