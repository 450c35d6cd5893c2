"""`python -m tests.wire.make_worlds`: freeze simulated worlds in the middle of their work. See README.md."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from streams.decisions.entries import MAJOR, MINOR
from streams.decisions.records import Record, Rejected
from streams.join.items import Item
from streams.join.settings import JoinSettings
from tests.support.faults import PRESETS
from tests.support.outputs import Output
from tests.support.runs import small_sizes
from tests.support.simulator import World
from tests.support.worlds import Shape, random_media, random_settings

FOLDER = Path(__file__).parent / "worlds"
SEEDS = range(8)
N_STEPS = 700
"""By then much is decided, some of it is published, and some of that is committed."""


def freeze(seed: int) -> dict[str, Any]:
    """What is on the broker when every worker of a world is gone."""
    random = Random(f"frozen {seed}")
    settings = random_settings(random, timers=True, limits=False)
    world = World(random_media(random, settings, Shape(silent=0.1)), settings, random, PRESETS["snapshots"], fetch=5)
    with small_sizes(random):
        world.assign()
        for _ in range(N_STEPS):
            world.step()
    return {
        "settings": msgspec.to_builtins(settings),
        "media": {topic: [record and _record(record) for record in log] for topic, log in world.media.items()},
        "produced": world.produced,
        "committed": world.committed,
        "fresh": sorted(world.fresh),
        "log_start": world.log_start,
        "log": [base64.b64encode(data).decode() for data in world.log],
        "outputs": [msgspec.to_builtins(output) for output in world.outputs],
        "generation": world.generation,
    }


def thaw(found: dict[str, Any], random: Random) -> World:
    """A world that stands where the frozen one stood, without workers; the media come to their ends later."""
    settings = msgspec.convert(found["settings"], JoinSettings)
    media = {topic: [record and _from(record) for record in log] for topic, log in found["media"].items()}
    world = World(media, settings, random, PRESETS["none"])
    world.produced, world.committed, world.fresh = found["produced"], found["committed"], set(found["fresh"])
    world.log, world.log_start = [base64.b64decode(data) for data in found["log"]], found["log_start"]
    world.generation = found["generation"]
    world.put(msgspec.convert(found["outputs"], list[Output]))
    return world


def _record(record: Record) -> list[Any]:
    item = None if record.item is None else msgspec.to_builtins(record.item)
    return [record.offset, item, record.rejected and record.rejected.reason, record.n_bytes]


def _from(found: list[Any]) -> Record:
    offset, item, reason, n_bytes = found
    return Record(offset, item and msgspec.convert(item, Item), reason and Rejected(reason), n_bytes, None)


def main() -> int:
    """Write this version's file; 1 where there is one."""
    path = FOLDER / f"{MAJOR}.{MINOR}.json"
    if path.exists():
        sys.stderr.write(f"{path.name} is there, and never changed: raise the version first\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(freeze(seed)) for seed in SEEDS) + "\n]\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
