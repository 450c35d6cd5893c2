"""No false alarm: simulated worlds in which workers crash, freeze and thaw give histories without violations."""

from __future__ import annotations

import os

import pytest

from streams.verify import check
from tests.support.faults import PRESETS
from tests.support.histories import RecordedWorld, recorded_run
from tests.support.runs import MODES, Mode

N_RUNS = int(os.environ.get("SIMULATED_RUNS", "6"))


def is_beyond_the_promise(world: RecordedWorld) -> bool:
    """A shared item that can be decoded at first and not later ends twice: payloads do not change on a broker."""
    settings = world.settings
    return settings.strategy == "nearest" and settings.share and bool(world.spoilt)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("mode", MODES)
def test_what_workers_do_under_faults_is_no_violation(mode: Mode, preset: str) -> None:
    """Whatever the simulator does to the workers of today, the checker finds nothing wrong with it."""
    found: dict[int, list[str]] = {}
    for seed in range(N_RUNS):
        world = recorded_run(mode, preset, seed)
        if is_beyond_the_promise(world):
            continue
        report = check(world.history(), world.settings, finished=True)
        if not report.ok:
            found[seed] = [str(violation) for violation in report.violations]
    assert not found
