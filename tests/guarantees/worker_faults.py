"""What happens to workers: killed, frozen, told to stop, joined by others."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from tests.guarantees import pool
from tests.guarantees.faults import Fault
from tests.guarantees.hindrances import BACK_S
from tests.guarantees.stage import Stage
from tests.support.worker_process import WorkerProcess

POINT_LIMIT_S = 5.0
"""A worker without partitions comes to no point: after so long it suffers where it stands."""
BACKLOG = 400
REPLAYED = 60
LIMIT_S = 60.0


async def kill(stage: Stage, fault: Fault) -> None:
    """Kill -9, and a new start."""
    async with stage.pool.borrow(fault.victim) as worker:
        worker.kill()
        worker.start()


async def kill_at(stage: Stage, fault: Fault) -> None:
    """Kill -9 at the fault's point, and a new start."""
    async with stage.pool.borrow(fault.victim) as worker:
        await _come_to(stage, worker, fault, pool.kill_at(fault.point), lambda: not worker.running)
        worker.kill()
        worker.start()


async def freeze(stage: Stage, fault: Fault) -> None:
    """SIGSTOP, and SIGCONT when its streams have gone to another."""
    async with stage.pool.borrow(fault.victim) as worker:
        await _stand_still(stage, worker)


async def freeze_at(stage: Stage, fault: Fault) -> None:
    """The same, at the fault's point."""
    async with stage.pool.borrow(fault.victim) as worker:
        await _come_to(stage, worker, fault, pool.stop_at(fault.point), lambda: worker.stopped)
        await _stand_still(stage, worker)


async def _come_to(stage: Stage, worker: WorkerProcess, fault: Fault, switch: str, there: Callable[[], bool]) -> None:
    """Have the worker interrupt itself at the fault's point; give up after a while."""
    worker.switch(switch)
    if fault.point == "recovering":
        worker.kill()
        worker.start()
    try:
        async with asyncio.timeout(POINT_LIMIT_S):
            while not there():  # noqa: ASYNC110 (a process has no event)
                await asyncio.sleep(0.01)
    except TimeoutError:
        worker.switch(switch, on=False)
        stage.words[fault] = "not reached"


async def _stand_still(stage: Stage, worker: WorkerProcess) -> None:
    # Told to stop before the group has taken it in again, it cannot write where things stand, and says so.
    with stage.pool.hindrances.one(BACK_S, worker):
        worker.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(stage.frozen_s)
        finally:
            worker.signal(signal.SIGCONT)


async def terminate(stage: Stage, fault: Fault) -> None:
    """SIGTERM, and a new start."""
    async with stage.pool.borrow(fault.victim) as worker:
        await stage.pool.terminate(worker)
        worker.start()


async def add(stage: Stage, fault: Fault) -> None:
    """Start workers until there are more than partitions; at least one."""
    await stage.pool.add()
    while len(stage.pool.workers) <= stage.plan.n_partitions:
        await stage.pool.add()


async def remove(stage: Stage, fault: Fault) -> None:
    """SIGTERM; somebody stays."""
    async with stage.pool.borrow(fault.victim) as worker:
        if len(stage.pool.workers) == 1:
            await stage.pool.add()
        stage.pool.remove(worker)
        await stage.pool.terminate(worker)


async def replay(stage: Stage, fault: Fault) -> None:
    """Kill all, let a backlog grow, have one replay it, and others come while it does."""
    progress, sender = stage.progress, stage.sender
    async with stage.pool.borrow_all() as workers:
        for worker in workers:
            worker.kill()
        n_sent = min(len(sender.log) + BACKLOG, stage.plan.n_records)
        await progress.until(lambda: len(sender.log) >= n_sent, LIMIT_S)
        n_decided = min(progress.n_decided + REPLAYED, sender.counts()["ok"])  # little may be left at the end
        first, *others = workers
        first.start()
        await progress.until(lambda: progress.n_decided >= n_decided, LIMIT_S)
        for worker in others:
            worker.start()
