"""Seeded runs of simulated worlds, by the faults that happen in them and by what decides their sets."""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

from streams.join.settings import JoinSettings
from tests.support.faults import PRESETS, small_sizes
from tests.support.simulator import World
from tests.support.verdicts import violations, violations_of_changed_settings
from tests.support.worlds import Shape, random_media, random_settings

Mode = Literal["logs", "timers", "limits"]
MODES: tuple[Mode, ...] = ("logs", "timers", "limits")
"""`logs`: watermarks alone decide, so that a run without crashes decides the same (law 9). `timers`: lanes are silent
or end halfway, and sets time out. `limits`: so little may be held that back-pressure and pressure really happen."""


def run_world(mode: Mode, preset: str, seed: int) -> World:
    """One run, the same for the same arguments."""
    random = Random(f"{mode} {preset} {seed}")
    has_timers = mode == "timers" or (mode == "limits" and random.random() < 0.5)
    settings = random_settings(random, timers=has_timers, limits=mode == "limits")
    settings = _with_memory(settings, Random(f"memory {mode} {preset} {seed}"))
    shape = Shape(silent=0.2, ending=random.random() < 0.5) if has_timers else Shape()
    media = random_media(random, settings, shape)
    world = World(media, settings, random, PRESETS[preset], fetch=random.choice((1, 3, 5, 20)))
    with small_sizes(random):
        return world.run()


def problems_of_changed_settings(preset: str, seed: int) -> list[str]:
    """What a run breaks in which half of the workers have other settings."""
    random = Random(f"settings {preset} {seed}")
    settings, other = (random_settings(random, timers=random.random() < 0.5, limits=False) for _ in range(2))
    media = random_media(random, settings, Shape(silent=0.1))
    world = World(media, settings, random, PRESETS[preset], fetch=random.choice((1, 3, 5, 20)), other=other)
    try:
        with small_sizes(random):
            return violations_of_changed_settings(world.run())
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def _with_memory(settings: JoinSettings, random: Random) -> JoinSettings:
    """Sometimes so little of streams and ids that workers forget."""
    return msgspec.structs.replace(
        settings,
        max_streams=random.choice((20_000, 20_000, 1)),
        max_remembered_ids=random.choice((60_000, 60_000, 2)),
    )


def problems(mode: Mode, preset: str, seed: int) -> list[str]:
    """What one run breaks, in words; an owner that raises breaks it too."""
    try:
        return violations(run_world(mode, preset, seed))
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
