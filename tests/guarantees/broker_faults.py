"""What happens to brokers and topics: refused, unanswered, away, killed where it matters most."""

from __future__ import annotations

import asyncio

from syncline.wire.contract import FUSED
from tests.guarantees.cluster import TAKES_NOTHING, configure, kill_coordinator, kill_leader, until_replicated
from tests.guarantees.faults import Fault
from tests.guarantees.pool import refused, unanswered
from tests.guarantees.stage import Stage
from tests.support.brokers import Apache

AWAY_S = 2.0


async def outage(stage: Stage, fault: Fault) -> None:
    """The topic takes nothing."""
    if not isinstance(stage.broker, Apache):
        await _switch_for_a_while(stage, refused(fault.topic), fault.lasts_s)
        return
    address, topic = stage.broker.address, stage.prefix + fault.topic
    async with stage.brokers_are_mine:
        before = await configure(address, topic, TAKES_NOTHING)
        await asyncio.sleep(fault.lasts_s)
        await configure(address, topic, before)


async def answers_lost(stage: Stage, fault: Fault) -> None:
    """The topic takes what is sent, and the workers are told that it does not."""
    await _switch_for_a_while(stage, unanswered(fault.topic), fault.lasts_s)


async def _switch_for_a_while(stage: Stage, switch: str, lasts_s: float) -> None:
    workers = list(stage.pool.workers.values())
    for worker in workers:
        worker.switch(switch)
    await asyncio.sleep(lasts_s)
    for worker in workers:
        worker.switch(switch, on=False)


async def broker_restart(stage: Stage, fault: Fault) -> None:
    """Stop the broker cleanly, and start it again."""
    async with stage.brokers_are_mine:
        await stage.broker.stop()
        await asyncio.sleep(AWAY_S)
        await stage.broker.start()


async def leader(stage: Stage, fault: Fault) -> None:
    """Kill the broker that leads a partition of the fused results, with answers of it outstanding."""
    async with stage.brokers_are_mine:
        await kill_leader(stage.cluster, stage.prefix + FUSED, fault.victim % stage.plan.n_partitions)
        await _bring_back(stage)


async def coordinator(stage: Stage, fault: Fault) -> None:
    """Kill the broker that coordinates the workers' group."""
    async with stage.brokers_are_mine:
        await kill_coordinator(stage.cluster, stage.group)
        await _bring_back(stage)


async def _bring_back(stage: Stage) -> None:
    await asyncio.sleep(AWAY_S)
    await stage.broker.start()
    await until_replicated(stage.cluster, stage.prefix)
