"""The faults of a seed: always the same, and every kind within a few seeds."""

from __future__ import annotations

import pytest

from tests.guarantees.faults import ALWAYS, DECKS, GENTLE, GENTLE_EVERY, is_gentle
from tests.guarantees.plan import draw_plan

BROKERS = sorted(DECKS)


@pytest.mark.parametrize("kind", BROKERS)
def test_a_seed_is_a_run(kind: str) -> None:
    """Drawn twice, a run is the same, whatever was drawn between."""
    first = draw_plan(11, kind)
    assert draw_plan(12, kind) != first
    assert draw_plan(11, kind) == first


@pytest.mark.parametrize("kind", BROKERS)
@pytest.mark.parametrize("first_seed", [0, 1, 5, 1_000])
def test_a_short_campaign_suffers_every_kind_of_fault(kind: str, first_seed: int) -> None:
    """Whichever seed a short campaign begins with, no kind is left out."""
    n_seeds = {"tansu": 11, "apache": 13, "apache3": 10}[kind]
    suffered = {fault.kind for n in range(n_seeds) for fault in draw_plan(first_seed + n, kind).faults}
    assert suffered == {card.partition(":")[0] for card in (*DECKS[kind], *ALWAYS[kind])}


@pytest.mark.parametrize("kind", BROKERS)
def test_faults_strike_one_after_the_other_while_records_flow(kind: str) -> None:
    """Each has its place before the workload's end, in order."""
    for seed in range(50):
        plan = draw_plan(seed, kind)
        places = [fault.at for fault in plan.faults]
        assert places == sorted(places)
        assert places[0] > 0
        assert places[-1] < 0.8 * plan.n_records


def test_now_and_then_a_run_is_gentle() -> None:
    """One run in eight has only faults after which nothing may be said twice."""
    gentle = [seed for seed in range(4 * GENTLE_EVERY) if is_gentle(draw_plan(seed, "tansu").faults)]
    assert set(range(GENTLE_EVERY - 1, 4 * GENTLE_EVERY, GENTLE_EVERY)) <= set(gentle)
    assert {fault.kind for fault in draw_plan(GENTLE_EVERY - 1, "apache").faults} <= set(GENTLE)


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ("tansu", [("terminate", 754), ("terminate", 1336), ("add", 1976)]),
        ("apache", [("terminate", 523), ("terminate", 1347), ("add", 1876)]),
    ],
)
def test_runs_in_which_workers_only_come_and_go_do_not_change(kind: str, faults: list[tuple[str, int]]) -> None:
    """Whatever is put into the decks: full runs of before can be compared."""
    assert [(fault.kind, fault.at) for fault in draw_plan(7, kind).faults] == faults
