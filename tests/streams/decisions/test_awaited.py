"""Laws of `streams.decisions.awaited`: who waits for which record."""

from __future__ import annotations

from random import Random
from unittest.mock import MagicMock

import pytest

from streams.decisions.awaited import AwaitedRecords
from streams.decisions.records import Task
from streams.decisions.resolved import NOT_NAMED
from streams.join.items import ClosedDecision, SetDecision
from tests.support.joining import item

WAITER = (ClosedDecision(item("image", 0, 0)), 0)


@pytest.mark.parametrize("seed", range(20))
def test_ranges_say_what_a_look_at_every_offset_says(seed: int) -> None:
    """Whatever is added and taken in whatever order."""
    random, waiting, expected = Random(seed), AwaitedRecords(), set[int]()
    for _ in range(200):
        offset, start = random.randrange(60), random.randrange(60)
        if random.random() < 0.5:
            waiting.add(("t", offset), WAITER)
            expected.add(offset)
        else:
            assert bool(waiting.pop("t", offset)) == (offset in expected)
            expected.discard(offset)
        assert waiting.below("t", start) == sorted(one for one in expected if one < start)
        assert waiting.n_between("t", start, start + 9) == sum(start <= one < start + 9 for one in expected)
    assert waiting.n_between("t", 0, 60) == len(expected)
    assert waiting.topics() == ({"t"} if expected else set())


def test_many_gaps_before_many_that_wait_cost_no_look_at_all_of_them() -> None:
    """After a crash 50,000 decided records come again: a gap costs what it costs with 50."""
    waiting, n_looks = AwaitedRecords(), 0
    for offset in range(50_000):
        waiting.add(("t", 2 * offset), WAITER)

    def look(offset: int) -> bool:
        nonlocal n_looks
        n_looks += 1
        return offset in waiters

    awaited = waiting._by_topic["t"]
    waiters = dict(awaited.waiters)
    watched = MagicMock(wraps=waiters)
    watched.__contains__.side_effect = look
    watched.__len__.side_effect = lambda: len(waiters)
    waiting.below("t", 0)
    awaited.waiters = watched
    for offset in range(0, 2_000, 2):
        waiting.below("t", offset)
        waiters.pop(offset)
    assert n_looks < 10_000


def test_the_log_is_needed_from_the_first_decision_on_that_waits() -> None:
    """Whatever order its records come in; nothing is asked of it once all are here."""
    waiting = AwaitedRecords()
    tasks = [Task(SetDecision("s", "earliest", "complete", "complete", 0, ()), [("t", n)], 10 + n) for n in range(3)]
    for n, task in enumerate(tasks):
        waiting.add(("t", n), (task, 0))
    found = [waiting.first_log_offset]
    for n in (1, 0, 2):
        waiting.pop("t", n)
        tasks[n].n_missing -= 1
        found.append(waiting.first_log_offset)
    assert found == [10, 10, 12, NOT_NAMED]
