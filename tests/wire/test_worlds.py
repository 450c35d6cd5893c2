"""Decision logs that earlier versions left in the middle of their work are carried on by today's code."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from streams.decisions.entries import decode_entry
from tests.support.driven import records_of
from tests.support.faults import PRESETS
from tests.support.runs import small_sizes
from tests.support.verdicts import violations
from tests.wire.make_worlds import FOLDER, thaw

VERSIONS = sorted(path.stem for path in FOLDER.glob("*.json"))


def frozen(version: str) -> list[dict[str, Any]]:
    """The worlds of one version."""
    return json.loads((FOLDER / f"{version}.json").read_text())


@pytest.mark.parametrize("preset", ["none", "crash", "snapshots", "appends"])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_earlier_version_left_is_carried_on(version: str, preset: str) -> None:
    """Every record comes to one outcome; what was published before counts."""
    for number, found in enumerate(frozen(version)):
        random = Random(f"thawed {version} {preset} {number}")
        world = thaw(found, random)
        world.faults, world.faults_touched_media = PRESETS[preset], True  # timers fired before it was frozen
        with small_sizes(random):
            assert violations(world.run()) == [], f"world {number}"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_frozen_worlds_are_in_the_middle_of_their_work(version: str) -> None:
    """With decisions, snapshots and commits behind them, and records that wait for their outcome."""
    worlds = frozen(version)
    assert sum(any(world["committed"].values()) for world in worlds) > len(worlds) / 2
    assert all(world["committed"] != {topic: len(log) for topic, log in world["media"].items()} for world in worlds)
    logs = [[decode_entry(record) for record in records_of(thaw(world, Random(0)).log)] for world in worlds]
    assert {type(entry).__name__ for log in logs for entry in log} == {"Claim", "Batch", "SnapshotPart"}
