"""The checker and the brute-force oracle, written from the same words by different means, agree on random logs."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.join.items import SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings
from tests.support.joining import item, run
from tests.support.logs import LogRecord, interleave, join_settings, logs
from tests.support.oracle_history import as_contract, history_of, history_with
from verify import check


@pytest.mark.parametrize("strategy", ["earliest", "nearest", "tumbling"])
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_the_checker_finds_nothing_wrong_with_the_oracle(strategy: str, data: st.DataObject) -> None:
    """What the oracle decides by looking at whole logs, the checker's replay expects, undecided records included."""
    # Sets that are given up (`require`) the oracle does not put in order.
    join_with = msgspec.structs.replace(data.draw(join_settings((strategy,))), require=())
    history = history_of(data.draw(logs(join_with)), join_with)
    assert check(history, join_with, finished=False).violations == []


@settings(deadline=None, max_examples=200)
@given(
    data=st.data(),
    max_streams=st.sampled_from((1, 2)),
    max_ids=st.sampled_from((1, 6, 60_000)),
    seed=st.integers(0, 2**16),
)
def test_the_checker_knows_what_was_forgotten(data: st.DataObject, max_streams: int, max_ids: int, seed: int) -> None:
    """A stream or an id that was one too many: what would have been late, or a duplicate, may be in a set."""
    join_with = msgspec.structs.replace(
        data.draw(join_settings()), share=False, require=(), max_streams=max_streams, max_remembered_ids=max_ids
    )
    topics = data.draw(logs(join_with))
    records = [LogRecord(record.item) for record in interleave(as_contract(topics), Random(seed))]
    _, decisions = run(records, join_with)
    history = history_with(topics, decisions)
    assert check(history, join_with, finished=False).violations == []


def test_the_checker_finds_a_duplicate_that_nobody_could_know_of() -> None:
    """Its stream was forgotten in between; with more streams to be remembered the decision is right."""
    items = [item("text", 1_000, n, stream=stream, id_hash=7) for n, stream in enumerate(("a", "b", "a"))]
    topics = {"media.text": [LogRecord(one) for one in items]}
    one, few, again = (record.item for record in as_contract(topics)["media.text"])
    sets = [SetDecision(i.stream, "earliest", "complete", "complete", i.time_ms, (i,)) for i in (one, few)]
    history = history_with(topics, [*sets, UnfusedDecision(again, "duplicate")])
    for max_streams, n_wrong in ((1, 1), (2, 0)):
        join_with = JoinSettings(lanes=("text",), max_streams=max_streams)
        found = check(history, join_with, finished=False).violations
        assert [violation.kind for violation in found] == ["wrong decision"] * n_wrong
