"""Laws of `streams.decisions.execution`: the sets of a stream are published in the order of the log."""

from __future__ import annotations

import pytest

from streams.decisions.entries import keys_of
from streams.decisions.execution import PublishOrder
from streams.decisions.records import Task
from streams.join.items import SetDecision
from tests.support.joining import item


def task(offset: int, *, fused: bool = True, here: bool = True) -> Task:
    """A set of one picture, with its member or still waiting for it."""
    decision = SetDecision("s", "earliest", "complete", "complete", 0, (item("image", 0, offset),))
    made = Task(decision, keys_of(decision), offset)
    made.fused, made.n_missing = fused, 0 if here else 1
    return made


@pytest.mark.parametrize("first", [task(0, fused=False), task(0, here=False)], ids=["not fused", "a member to come"])
def test_a_set_waits_for_the_one_before_it(first: Task) -> None:
    """Though it is fused itself; once the first is done both go, in order, and never again."""
    turns, second = PublishOrder(), task(1)
    turns.add("s", first)
    turns.add("s", second)
    assert turns.take("s") == []
    first.fused, first.n_missing = True, 0
    assert turns.take("s") == [first, second]
    assert turns.take("s") == []
    assert list(turns) == []


def test_streams_do_not_wait_for_each_other() -> None:
    """Each has an order of its own."""
    turns, here, other = PublishOrder(), task(0), task(1, fused=False)
    turns.add("s", here)
    turns.add("t", other)
    assert (turns.take("t"), turns.take("s")) == ([], [here])


def test_a_failed_set_has_its_turn_without_the_model() -> None:
    """It is published as dead letters in its place."""
    turns, failed = PublishOrder(), task(0, fused=False)
    turns.add("s", failed)
    failed.failed = "model"
    assert turns.take("s") == [failed]


def test_sets_behind_one_that_waits_for_a_record_cannot_go_on() -> None:
    """Nothing comes of them without reading on."""
    turns = PublishOrder()
    turns.add("s", task(0, here=False))
    turns.add("s", task(1))
    assert not turns.any_can_go_on
    turns.add("t", task(2, fused=False))
    assert turns.any_can_go_on


def test_a_set_is_found_by_its_members() -> None:
    """Of whatever stream it is."""
    turns, one = PublishOrder(), task(5)
    turns.add("s", one)
    assert turns.find(tuple(one.keys)) is one
    assert turns.find(tuple(task(6).keys)) is None
