"""streams/kafka/cluster_watch.py: whether the number of partitions still held."""

from __future__ import annotations

from streams.kafka.cluster_watch import GIVE_UP_MS, Counted


def test_what_was_read_after_the_question_is_not_answered_by_it() -> None:
    """It may have been placed since; so the question is asked again."""
    counted = Counted(lambda: 100)
    assert counted.held(100)
    assert not counted.wanted.is_set()
    assert not counted.held(101)
    assert counted.wanted.is_set()
    counted.confirm(101)
    assert not counted.wanted.is_set()
    assert counted.held(101)


def test_where_nobody_answers_the_number_that_was_counted_holds_in_the_end() -> None:
    """Else one careless producer would stop its partition for as long as a broker is away."""
    now_ms = 0
    counted = Counted(lambda: now_ms)
    now_ms = GIVE_UP_MS
    assert not counted.held(1)
    now_ms = GIVE_UP_MS + 1
    assert counted.held(1)
