"""Waits for what must come once the last fault is over, and holds it against the time by which it must."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import msgspec

from tests.guarantees.sampling import EVERY_S, Sampler
from tests.guarantees.stage import Stage

PATIENCE_S = 120.0
"""For what is late: then the checker says whether it came at all."""
QUIET_S = 1.5
"""Beyond `max_wait_ms`: then nothing more will be said of what was sent."""

Places = Iterable[tuple[str, int, int]]
"""(topic, partition, offset) of records."""


class Settled(msgspec.Struct, frozen=True):
    """How a run came to rest. `n_late`: records without an outcome when they should have had one; `after_s`: after the
    last fault, until all had theirs; `problems`: violations of liveness, in sentences.
    """

    n_late: int
    after_s: float
    problems: tuple[str, ...] = ()


async def settle(stage: Stage, samples: Sampler) -> Settled:
    """Wait until nothing more can be said, conversions included. Begins when the last fault and the last send are over.

    A record that has no outcome after `stage.liveness_s` is late, whether or not it gets one later.
    """
    start_s = time.monotonic()
    sent = {(send.topic, send.partition, send.offset) for send in stage.sender.log if send.outcome == "ok"}
    outcomes = stage.progress.outcomes.by_record
    problems: list[str] = []
    n_late = 0
    if not await stage.progress.until(lambda: sent <= outcomes.keys(), stage.liveness_s):
        n_late = len(sent - outcomes.keys())
        answers = [await worker.ask("/readyz") for worker in stage.pool.workers.values()]
        await stage.progress.until(lambda: sent <= outcomes.keys(), PATIENCE_S)
        problems.append(
            _late(n_late, len(sent - outcomes.keys()), stage.liveness_s, time.monotonic() - start_s, answers)
        )
    after_s = time.monotonic() - start_s
    await stage.progress.until_quiet(QUIET_S + stage.plan.join.max_wait_ms / 1_000)
    if stage.plan.convert and not n_late and not await _all_committed(samples, sent, start_s + stage.liveness_s):
        problems.append(
            f"liveness: not all is committed {stage.liveness_s:.1f} s after the last fault, though all has its outcome"
        )
    return Settled(n_late, after_s, tuple(problems))


def _late(n_late: int, n_left: int, limit_s: float, now_s: float, answers: object) -> str:
    came = f"{n_left} have none" if n_left else "all have theirs"
    return (
        f"liveness: {n_late} records had no outcome {limit_s:.1f} s after the last fault; {came} after {now_s:.1f} s; "
        f"workers said {answers}"
    )


async def _all_committed(samples: Sampler, sent: Places, deadline_s: float) -> bool:
    """Wait until all that was sent is committed: then its conversions are out, too."""
    ends: dict[tuple[str, int], int] = {}
    for topic, partition, offset in sent:
        ends[topic, partition] = max(offset + 1, ends.get((topic, partition), 0))
    while True:
        committed = samples.samples[-1].committed if samples.samples else {}
        if all(committed.get(place, 0) >= end for place, end in ends.items()):
            return True
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(EVERY_S)
