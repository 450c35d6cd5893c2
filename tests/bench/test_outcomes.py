"""bench/outcomes.py: a long run is worth what its judge sees."""

from __future__ import annotations

import pytest

from bench.outcomes import Outcomes, record_number
from syncline.wire.contract import MODALITIES

N_MOMENTS = 4


def whole(moment: int) -> list[int]:
    """The records of one moment."""
    return [record_number(moment, modality) for modality in MODALITIES]


@pytest.fixture
def outcomes() -> Outcomes:
    """Everything of four moments was sent, and one record of a fifth never was."""
    outcomes = Outcomes(N_MOMENTS + 1)
    for moment in range(N_MOMENTS):
        for record in whole(moment):
            outcomes.sent(record)
    return outcomes


def test_a_run_in_which_all_is_well(outcomes: Outcomes) -> None:
    """Three whole moments, one in pieces that each have their outcome; what is said again is a repeat."""
    for moment in range(3):
        outcomes.fused("s", whole(moment), 1_000 + moment)
    outcomes.fused("s", whole(2), 1_002)
    image, text, audio = whole(3)
    outcomes.fused("s", [image], 1_003)
    outcomes.unfused(text, "late")
    outcomes.dead_letter(audio, "clock")
    outcomes.dead_letter(audio, "clock")
    judged = outcomes.judge()
    assert judged.violations == {}
    assert (judged.sent, judged.complete, judged.partial, judged.unfused, judged.deadletter) == (12, 3, 1, 1, 1)
    assert (judged.torn, judged.repeats) == (1, 2)
    assert outcomes.n_decided == outcomes.n_sent == 12


def test_what_has_no_outcome_is_lost(outcomes: Outcomes) -> None:
    """All but one moment."""
    outcomes.fused("s", whole(0), 1_000)
    judged = outcomes.judge()
    assert (judged.lost, judged.torn) == (9, 3)
    assert "lost" in judged.violations


def test_two_outcomes_that_differ_are_a_doubling(outcomes: Outcomes) -> None:
    """In two sets, or in a set and unfused: whatever comes first."""
    outcomes.fused("s", whole(0)[:2], 1_000)
    outcomes.fused("s", whole(0), 1_000)
    outcomes.unfused(whole(1)[0], "late")
    outcomes.dead_letter(whole(1)[0], "late")
    assert outcomes.judge().doubled == 3


def test_sets_across_moments_or_out_of_order_are_seen(outcomes: Outcomes) -> None:
    """A set of two moments; a set that comes first after a later one of its stream."""
    outcomes.fused("s", [whole(0)[0], whole(1)[1]], 1_001)
    outcomes.fused("s", whole(2), 1_000)
    outcomes.fused("t", whole(3), 900)
    judged = outcomes.judge()
    assert judged.violations == {"mixed": 1, "out_of_order": 1, "lost": 4}


def test_outcomes_of_what_nobody_sent_are_seen(outcomes: Outcomes) -> None:
    """A number that was not sent, and one that does not exist."""
    outcomes.unfused(whole(N_MOMENTS)[0], "late")
    outcomes.unfused(10**6, "late")
    assert outcomes.judge().unknown == 2
