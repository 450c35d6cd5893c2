"""The checker and the brute-force oracle, written from the same words by different means, agree on random logs."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.verify import check
from tests.support.logs import join_settings, logs
from tests.support.oracle_history import history_of


@pytest.mark.parametrize("strategy", ["earliest", "nearest", "tumbling"])
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_the_checker_finds_nothing_wrong_with_the_oracle(strategy: str, data: st.DataObject) -> None:
    """What the oracle decides by looking at whole logs, the checker's replay expects, undecided records included."""
    # Sets that are given up (`require`) the oracle does not put in order.
    join_with = msgspec.structs.replace(data.draw(join_settings((strategy,))), require=())
    history = history_of(data.draw(logs(join_with)), join_with)
    assert check(history, join_with, finished=False).violations == []
