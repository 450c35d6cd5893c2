"""Seeded worlds in which workers crash, freeze and thaw between any two steps: laws 2, 3, 7, 8 and 9 hold in each.

`SIMULATED_RUNS` (environment) is how many seeds each kind of world gets. A failure names its run:
`tests.support.runs.run_world(mode, preset, seed)` replays it.
"""

from __future__ import annotations

import pytest

from tests.support.effort import n_runs
from tests.support.faults import PRESETS
from tests.support.runs import MODES, Mode, problems, problems_of_changed_settings

N_RUNS = n_runs(quick=4, full=10)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("mode", MODES)
def test_every_record_has_one_outcome_whatever_goes_wrong(mode: Mode, preset: str) -> None:
    """One outcome a record, sets in order, equal repeats, bounded and balanced holding, nothing left at the end."""
    found = {seed: broken for seed in range(N_RUNS) if (broken := problems(mode, preset, seed))}
    assert not found, f"{mode} {preset}: {found}"


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("preset", ["crash", "freeze", "appends", "group", "snapshots"])
def test_workers_with_other_settings_decide_no_record_twice(preset: str) -> None:
    """Strategy, lanes, tolerances, share: what is decided stands, and from then on each decides by its own."""
    found = {seed: broken for seed in range(N_RUNS) if (broken := problems_of_changed_settings(preset, seed))}
    assert not found, f"{preset}: {found}"
