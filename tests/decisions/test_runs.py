"""Neighbouring records with one outcome as one entry."""

from __future__ import annotations

from streams.decisions.runs import SHORTEST_RUN, with_runs
from streams.join.model import DeadLetterDecision, Decision, RunDecision, UnfusedDecision
from tests.support.joining import item


def _late(first: int, last: int) -> list[Decision]:
    return [UnfusedDecision(item("image", 0, n), "late", 5) for n in range(first, last + 1)]


def test_neighbours_with_one_outcome_become_a_run() -> None:
    """As one range of offsets."""
    assert with_runs(_late(3, 40)) == [RunDecision("media.image", 3, 40, "unfused", "late")]


def test_a_short_run_is_left_as_it_is() -> None:
    """Its entries say by how much each was late."""
    assert with_runs(_late(0, SHORTEST_RUN - 2)) == _late(0, SHORTEST_RUN - 2)


def test_a_gap_ends_a_run() -> None:
    """Each offset of a run is an outcome: none may be in it that was not decided."""
    runs = with_runs([*_late(0, 19), *_late(21, 40)])
    assert [(run.first_offset, run.last_offset) for run in runs if isinstance(run, RunDecision)] == [(0, 19), (21, 40)]


def test_outcomes_that_move_a_watermark_are_in_no_run() -> None:
    """A run holds no items, and without them a successor could not move the clocks."""
    duplicates: list[Decision] = [UnfusedDecision(item("image", 0, n), "duplicate") for n in range(30)]
    broken: list[Decision] = [
        DeadLetterDecision("media.image", n, "undecodable", item("image", 0, n)) for n in range(30)
    ]
    assert with_runs(duplicates) == duplicates
    assert with_runs(broken) == broken
