"""Neighbouring records with one outcome as one entry."""

from __future__ import annotations

from collections import deque

import pytest

from streams.decisions.proposer import SHORTEST_RUN, take_run
from streams.join.items import DeadLetterDecision, Decision, RunDecision, UnfusedDecision
from tests.support.joining import item

LATE: list[Decision] = [UnfusedDecision(item("image", 0, n), "late", 5) for n in range(100)]
OTHER: list[Decision] = [
    UnfusedDecision(item("image", 0, 40), "unexpected"),
    UnfusedDecision(item("text", 0, 40), "late"),
    UnfusedDecision(item("image", 0, 41), "late"),
    UnfusedDecision(item("image", 0, 40), "duplicate"),
]


@pytest.mark.parametrize("behind", [[], OTHER[:1], OTHER[1:2], OTHER[2:3], OTHER[3:]])
def test_neighbours_with_one_outcome_become_a_run(behind: list[Decision]) -> None:
    """As one range of offsets, up to a gap, another outcome or another topic: none is in it that was not decided."""
    decisions = deque([*LATE[3:40], *behind])
    assert take_run(decisions) == RunDecision("media.image", 3, 39, "unfused", "late")
    assert list(decisions) == behind


def test_a_short_run_is_left_as_it_is() -> None:
    """Its entries say by how much each was late."""
    decisions = deque([*LATE[: SHORTEST_RUN - 1], *OTHER])
    assert take_run(decisions) is None
    assert list(decisions) == [*LATE[: SHORTEST_RUN - 1], *OTHER]


def test_outcomes_that_move_a_watermark_are_in_no_run() -> None:
    """A run holds no items, and without them a successor could not move the clocks."""
    duplicates: list[Decision] = [UnfusedDecision(item("image", 0, n), "duplicate") for n in range(30)]
    broken: list[Decision] = [
        DeadLetterDecision("media.image", n, "undecodable", item("image", 0, n)) for n in range(30)
    ]
    assert take_run(deque(duplicates)) is None
    assert take_run(deque(broken)) is None
