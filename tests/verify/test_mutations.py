"""The checker sees what a worker does that leaves out a rule of the decision log: each is there for a reason."""

from __future__ import annotations

import pytest

from tests.support.broken_rules import broken
from tests.support.histories import RecordedWorld, recorded_run
from tests.support.runs import MODES, Mode
from verify import check

SEEDS = 12
LEFT_OUT = [
    ("void_behind_other_claim", "freeze", "void effect"),
    ("ignore_lower_claims", "all", "void effect"),
    ("act_on_read_back", "late appends", "void effect"),
    ("failure_is_a_decision", "model", "void effect"),
    ("obey_the_log", "crash", "wrong decision"),
    ("obey_the_log", "crash", "two outcomes"),
    ("one_batch_in_flight", "appends", "wrong decision"),
    ("snapshot_at_acknowledged", "snapshots", "wrong decision"),
    ("resolve_together", "crash", "early commit"),
    ("acknowledge_in_order", "none", "early commit"),
    ("acknowledge_in_order", "crash", "no outcome"),
    ("publish_in_log_order", "none", "out of order"),
]
"""(rule, faults, kind of violation that follows)."""


@pytest.mark.parametrize(("rule", "preset", "kind"), LEFT_OUT)
def test_a_rule_that_is_left_out_is_seen(rule: str, preset: str, kind: str) -> None:
    """In one of a few simulated worlds at least the violation that the rule prevents is found."""
    worlds = (_run_without(rule, mode, preset, seed) for seed in range(SEEDS) for mode in MODES)
    # Left alone, some of these worlds come to no end; then records may be pending.
    reports = (check(world.history(), world.settings, finished=world.committed == world.ends) for world in worlds)
    assert any(kind in report.n_by_kind for report in reports)


def _run_without(rule: str, mode: Mode, preset: str, seed: int) -> RecordedWorld:
    """The rule is whole again when the checker looks: it reads the log with the service's own code."""
    with broken(rule):
        return recorded_run(mode, preset, seed)
