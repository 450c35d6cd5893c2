"""What happens to connections: reset by the dozen, or open and without a word."""

from __future__ import annotations

import asyncio
from random import Random

from tests.guarantees.faults import Fault
from tests.guarantees.hindrances import BACK_S
from tests.guarantees.stage import Stage

N_RESETS = 40
FEW_S = 2.0
"""By how much longer than a frozen worker one stands in a black hole."""


async def resets(stage: Stage, fault: Fault) -> None:
    """Reset connections of all workers, one to five at a time."""
    random_ = Random(fault.victim)
    for _ in range(N_RESETS // 2):
        for proxy in random_.sample(list(stage.pool.proxies.values()), min(2, len(stage.pool.proxies))):
            proxy.reset(random_.choice((1, 1, 2, 5)), random_)
        await asyncio.sleep(2 * fault.lasts_s / N_RESETS)


async def black_hole(stage: Stage, fault: Fault) -> None:
    """What one worker says, what is said to it, or both, is lost until its streams have gone to another."""
    async with stage.pool.borrow(fault.victim) as worker:
        with stage.pool.hindrances.one(BACK_S, worker):
            proxy = stage.pool.proxies[worker]
            proxy.swallows = fault.way
            try:
                await asyncio.sleep(stage.frozen_s + FEW_S)
            finally:
                proxy.swallows = ""
