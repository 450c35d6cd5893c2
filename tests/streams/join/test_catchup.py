"""When a partition counts as caught up."""

from __future__ import annotations

from streams.join.lane_clock import NEVER_MS
from streams.join.timers import BEHIND_AFTER_MS, CatchUp


def test_an_answer_is_confirmed_when_all_below_it_has_joined() -> None:
    """Not one offset earlier; the time is that of the question, not of the answer."""
    topic = CatchUp()
    topic.high_water(7, asked_ms=100, now_ms=120)
    topic.joined(6, now_ms=130)
    assert topic.confirmed_ms == NEVER_MS
    topic.joined(7, now_ms=140)
    assert (topic.confirmed_ms, topic.last_behind_ms) == (100, NEVER_MS)


def test_an_answer_that_is_reached_already_is_confirmed_at_once() -> None:
    """An idle topic needs no further record."""
    topic = CatchUp()
    topic.joined(7, now_ms=0)
    topic.high_water(7, asked_ms=100, now_ms=120)
    assert topic.confirmed_ms == 100


def test_no_answer_means_behind() -> None:
    """During a broker's outage nothing counts as caught up."""
    topic = CatchUp()
    topic.high_water(None, asked_ms=100, now_ms=600)
    assert (topic.confirmed_ms, topic.last_behind_ms) == (NEVER_MS, 600)


def test_an_answer_out_of_reach_means_behind_until_it_is_reached() -> None:
    """The last moment behind moves on with time, and stops when the offset is reached."""
    topic = CatchUp()
    topic.high_water(1_000, asked_ms=0, now_ms=0)
    topic.joined(10, now_ms=BEHIND_AFTER_MS)
    assert topic.last_behind_ms == NEVER_MS
    topic.joined(20, now_ms=BEHIND_AFTER_MS + 1)
    assert topic.last_behind_ms == BEHIND_AFTER_MS + 1
    topic.joined(1_000, now_ms=4_000)
    topic.tick(now_ms=9_000)
    assert (topic.confirmed_ms, topic.last_behind_ms) == (0, 4_000)


def test_many_questions_while_behind_use_no_more_memory() -> None:
    """The oldest stays, to tell since when; the newest stays, to tell how far."""
    topic = CatchUp()
    for n in range(1_000):
        topic.high_water(10 + n, asked_ms=n, now_ms=n)
    assert len(topic._pending) <= 8
    topic.joined(10, now_ms=1_000)
    assert (topic.confirmed_ms, topic.last_behind_ms) == (0, 1_000)
    topic.joined(2_000, now_ms=1_001)
    assert topic.confirmed_ms == 999
