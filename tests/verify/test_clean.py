"""No false alarm: simulated worlds in which workers crash, freeze and thaw give histories without violations."""

from __future__ import annotations

import pytest

from tests.support.effort import n_runs
from tests.support.faults import JUDGED_PRESETS
from tests.support.histories import RecordedWorld, recorded_run
from tests.support.runs import MODES, Mode
from verify import check
from verify.check import BY_OTHERS

N_RUNS = n_runs(quick=3, full=6)


def is_beyond_the_promise(world: RecordedWorld) -> bool:
    """A shared item that can be decoded at first and not later ends twice: payloads do not change on a broker."""
    settings = world.settings
    return settings.strategy == "nearest" and settings.share and bool(world.spoilt)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("preset", JUDGED_PRESETS)
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


@pytest.mark.parametrize(
    ("mode", "preset", "seed"),
    [
        ("limits", "crash", 19),  # late records keep no lane from being forgotten
        ("logs", "retention", 135),  # a deleted record that was decided alone moves no watermark of a later worker
        ("timers", "forgotten and deleted", 447),  # a set whose records are gone may come out behind the next
        ("limits", "forgotten and deleted", 420),  # a deleted record comes to no later worker
        ("limits", "retention", 543),  # what is deleted and in no decision may have made others late
    ],
)
def test_worlds_that_once_raised_an_alarm(mode: Mode, preset: str, seed: int) -> None:
    """What the checker has been wrong about stays right."""
    world = recorded_run(mode, preset, seed)
    assert check(world.history(), world.settings, finished=True).violations == []


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("preset", ["crash", "freeze", "appends", "snapshots"])
def test_workers_with_other_settings_are_no_violation(preset: str) -> None:
    """What the join decides is left aside where some was decided by others; all else is judged as ever."""
    found: dict[int, list[str]] = {}
    n_left_aside = 0
    for seed in range(2 * N_RUNS):
        world = recorded_run("timers", preset, seed, changes=True)
        report = check(world.history(), world.settings, finished=True)
        n_by_others = report.counts["decisions"].get(BY_OTHERS, 0)
        n_left_aside += n_by_others
        if n_by_others and not report.ok:  # where one of the two decided all, the settings were not changed
            found[seed] = [str(violation) for violation in report.violations]
    assert not found
    assert n_left_aside


def test_without_other_settings_every_decision_is_made_anew() -> None:
    """Else the checker would agree with whatever it is told."""
    world = recorded_run("timers", "crash", 1)
    assert BY_OTHERS not in check(world.history(), world.settings).counts["decisions"]
