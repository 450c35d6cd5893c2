"""A worker of another consumer group: the log is not its own, and it decides nothing."""

from __future__ import annotations

import asyncio
import time

from tests.guarantees.faults import Fault
from tests.guarantees.stage import GROUP, Stage
from tests.support.worker_process import WorkerProcess

OTHERS = "others"
"""Its group, without its prefix."""
NAMED_LIMIT_S = 60.0
LOOK_S = 0.05


async def groups(stage: Stage, fault: Fault) -> None:
    """It comes for a while, is never ready, and names the group that the log belongs to."""
    async with stage.lives_are_mine:
        stranger = await stage.pool.visitor(group=stage.prefix + OTHERS)
        stage.pool.complaints += await watched(stranger, stage.prefix + GROUP, fault.lasts_s)
        if stranger.running:
            await stage.pool.terminate(stranger)


async def watched(stranger: WorkerProcess, theirs: str, lasts_s: float) -> list[str]:
    """What is wrong with it until it has named the other group, and for so long afterwards."""
    wanted, deadline_s, names_it = f"belongs to consumer group {theirs!r}", time.monotonic() + NAMED_LIMIT_S, False
    while time.monotonic() < deadline_s:
        status, answer = await stranger.ask("/readyz")
        if not stranger.running:
            return ["a worker of another group has ended by itself"]
        if status == 200:
            return ["a worker of another group was ready"]
        if not names_it and any(wanted in reason for reason in answer.get("reasons", ())):
            names_it, deadline_s = True, time.monotonic() + lasts_s
        await asyncio.sleep(LOOK_S)
    return [] if names_it else [f"a worker of another group did not name the log's after {NAMED_LIMIT_S:.0f} s"]
