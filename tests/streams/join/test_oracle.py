"""The join against an oracle that sees whole logs: laws 1 and 2 while no timer fires and no pressure decides."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.joining import run, sets_of, singles_of
from tests.support.logs import interleave, join_settings, logs
from tests.support.oracle import Oracle, key


@pytest.mark.parametrize("strategy", ["earliest", "nearest", "tumbling"])
@settings(deadline=None, max_examples=400)
@given(data=st.data(), seed=st.integers(0, 2**16), every=st.integers(1, 20))
def test_any_interleaving_decides_what_the_oracle_decides(
    strategy: str, data: st.DataObject, seed: int, every: int
) -> None:
    """Law 1: sets, their order per stream, reasons of single records and what is left are the oracle's."""
    join_with = data.draw(join_settings((strategy,)))
    topics = data.draw(logs(join_with))
    expected = Oracle(topics, join_with).verdicts()

    join, decisions = run(interleave(topics, Random(seed)), join_with, every)

    assert sets_of(decisions) == {stream: sets for stream, sets in expected.sets.items() if sets}
    assert singles_of(decisions) == expected.singles
    left = {key(entry[2]) for stream in join._streams.values() for lane in stream.lanes for entry in lane.held}
    assert left == expected.undecided
    assert join.n_undecided == len(left)
