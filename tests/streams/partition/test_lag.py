"""streams/partition/lag.py: how far behind, in records and in time."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.partition.lag import MAX_ANSWERS, Lag, TopicLag

WALL_MS = 1_700_000_000_000


def test_before_the_first_answer_nothing_is_known() -> None:
    """Not even that there is no lag."""
    assert TopicLag().at(5, 100, WALL_MS) is None


def test_the_oldest_unread_record_came_after_the_last_answer_that_was_reached() -> None:
    """
    asked at    100   200   300
    high water  7     9     14      position 10: four unread, none of which was there at 200
    """
    lag = TopicLag()
    for high_water, asked_ms in ((7, 100), (9, 200), (14, 300)):
        lag.answered(high_water, asked_ms)
    assert lag.at(10, 350, WALL_MS) == Lag(4, 150)
    assert lag.at(14, 400, WALL_MS) == Lag(0, 0)


def test_a_partition_that_was_silent_for_an_hour_is_not_an_hour_behind() -> None:
    """What was read last is old, but a question of a second ago found nothing newer."""
    lag = TopicLag()
    lag.read(WALL_MS)
    lag.answered(5, 3_600_000)
    assert lag.at(5, 3_600_100, WALL_MS + 3_600_100) == Lag(0, 0)
    lag.answered(6, 3_601_000)
    assert lag.at(5, 3_601_000, WALL_MS + 3_601_000) == Lag(1, 1_000)


def test_a_backlog_from_before_the_start_is_as_old_as_what_is_read_of_it() -> None:
    """No question was ever reached: append times say how old it is; before the first record only the question does."""
    lag = TopicLag()
    lag.answered(1_000, 100)
    lag.answered(1_000, 140)
    assert lag.at(0, 150, WALL_MS) == Lag(1_000, 50)
    lag.read(WALL_MS - 86_400_000)
    assert lag.at(10, 200, WALL_MS) == Lag(990, 86_400_000)


def test_a_log_that_was_cut_is_believed() -> None:
    """After an unclean election, or with an embedded broker that was started anew, the newest answer counts."""
    lag = TopicLag()
    lag.answered(50, 100)
    lag.answered(20, 200)
    assert lag.at(10, 200, WALL_MS) == Lag(10, 100)


@pytest.mark.parametrize("n_answers", [MAX_ANSWERS, 50 * MAX_ANSWERS])
def test_however_long_it_is_behind_little_is_remembered(n_answers: int) -> None:
    """The age is then less exact, never too small."""
    lag = TopicLag()
    for second in range(n_answers):
        lag.answered(10 * (second + 1), 1_000 * second)
    assert len(lag._answers) <= MAX_ANSWERS
    middle = n_answers // 2
    found = lag.at(10 * middle, 1_000 * n_answers, WALL_MS)
    assert found is not None
    assert found.records == 10 * (n_answers - middle)
    assert 1_000 * (n_answers - middle) <= found.age_ms <= 1_000 * n_answers


@given(st.integers(0, 2**32), st.integers(1, 300), st.floats(0.1, 3))
@settings(max_examples=60, deadline=None)
def test_the_age_is_an_upper_bound_and_the_number_is_exact(seed: int, n_steps: int, speed: float) -> None:
    """A reader of any speed beside a producer of random pace, against what a bystander sees."""
    random_, lag = random.Random(seed), TopicLag()
    appended: list[int] = []
    now_ms, position, asked = 0, 0, 0
    for _ in range(n_steps):
        now_ms += random_.randrange(1, 400)
        appended += [now_ms] * random_.randrange(4)
        if random_.random() < 0.5:
            lag.answered(len(appended), now_ms)
            asked = len(appended)
        if random_.random() < speed / 3:
            before, position = position, min(len(appended), position + random_.randrange(5))
            if position > before:
                lag.read(WALL_MS + appended[position - 1])
        found = lag.at(position, now_ms, WALL_MS + now_ms)
        if found is not None:
            assert found.records == max(0, asked - position)
            if found.records and position:
                assert found.age_ms >= now_ms - appended[position]
