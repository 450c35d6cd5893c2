"""What a run is like, drawn from its seed: settings of the join, size of the workload, faults and when they strike."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from streams.join.settings import JoinSettings
from syncline.wire.contract import MODALITIES
from tests.guarantees.faults import Fault, draw_faults
from tests.guarantees.workload import OUT_OF_ORDER_MS

N_RECORDS = 2_600
RECORDS_PER_S = 200
"""Thirteen seconds of sending: the faults have something to strike at."""
TOLERANCE_MS = 45
CONVERTERS = {"transcript": "SlowSpelling", "speech": "Humming"}
"""By kind, the class in tests/support/converters.py."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `gives_up`: the producer of media calls sends failed that take long, instead of waiting.

    `convert`: kinds that the workers make of single events.
    """

    seed: int
    broker_kind: str
    join: JoinSettings
    n_partitions: int
    n_workers: int
    n_streams: int
    gives_up: bool
    faults: tuple[Fault, ...]
    convert: tuple[str, ...] = ()
    n_records: int = N_RECORDS
    per_s: int = RECORDS_PER_S


def draw_plan(seed: int, broker_kind: str) -> Plan:
    """The run of this seed on this kind of broker: `tansu`, `apache` or `apache3`."""
    random_ = random.Random(f"{broker_kind} {seed}")
    n_partitions = random_.randint(2, 3)
    return Plan(
        seed=seed,
        broker_kind=broker_kind,
        join=_draw_join(random_, n_partitions),
        n_partitions=n_partitions,
        n_workers=2,
        n_streams=random_.randint(6, 12),
        gives_up=random_.random() < 0.25,
        faults=draw_faults(seed, broker_kind, N_RECORDS, random_),
        convert=("transcript", "speech") if seed % 2 else (),
    )


def convert_flag(kinds: Sequence[str]) -> str:
    """`--convert` of a worker that makes these kinds."""
    return ",".join(f"{kind}=python:tests/support/converters.py:{CONVERTERS[kind]}" for kind in kinds)


def _draw_join(random_: random.Random, n_partitions: int) -> JoinSettings:
    strategy = random_.choices(("earliest", "nearest", "tumbling"), (6, 2, 2))[0]
    lane = random_.choice(MODALITIES)
    return JoinSettings(
        strategy=strategy,
        tolerance_ms=TOLERANCE_MS,
        out_of_order_ms={lane: OUT_OF_ORDER_MS} if random_.random() < 0.5 else {},
        max_wait_ms=random_.choice((300, 600, 900)),
        pivot=random_.choice(MODALITIES),
        size_ms=400,
        require=("image",) if random_.random() < 0.15 else (),
        max_held_events=n_partitions * random_.choice((1_000, 1_000, 120, 40)),  # shared out among them
        hard_limit_factor=random_.choice((2, 4)),
    )
