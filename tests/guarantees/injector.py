"""Carries out the faults of a run, each when so many records have an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

from tests.guarantees import broker_faults, worker_faults
from tests.guarantees.clock import clock
from tests.guarantees.connections import black_hole, resets
from tests.guarantees.faults import Fault, Kind
from tests.guarantees.groups import groups
from tests.guarantees.hindrances import BACK_S
from tests.guarantees.lives import settings, versions
from tests.guarantees.stage import Stage
from tests.guarantees.transactions import transactions

PROGRESS_LIMIT_S = 60.0
"""A fault strikes after so long even if less was decided: a run that stands still must come to its end."""


async def inject_all(stage: Stage) -> None:
    """Let each fault strike when it is its time, whether or not those before it have passed."""
    async with asyncio.TaskGroup() as striking:
        for fault in stage.plan.faults:
            await stage.progress.until(lambda at=fault.at: stage.progress.n_decided >= at, PROGRESS_LIMIT_S)
            striking.create_task(_strike(stage, fault))


async def _strike(stage: Stage, fault: Fault) -> None:
    hinders = fault.kind in _AFTERMATH_S
    with stage.pool.hindrances.one(_AFTERMATH_S[fault.kind]) if hinders else nullcontext():
        await _ACTIONS[fault.kind](stage, fault)


_ACTIONS: dict[Kind, Callable[[Stage, Fault], Awaitable[None]]] = {
    "kill": worker_faults.kill,
    "kill_at": worker_faults.kill_at,
    "freeze": worker_faults.freeze,
    "freeze_at": worker_faults.freeze_at,
    "terminate": worker_faults.terminate,
    "add": worker_faults.add,
    "remove": worker_faults.remove,
    "replay": worker_faults.replay,
    "outage": broker_faults.outage,
    "answers_lost": broker_faults.answers_lost,
    "broker_restart": broker_faults.broker_restart,
    "leader": broker_faults.leader,
    "coordinator": broker_faults.coordinator,
    "transactions": transactions,
    "resets": resets,
    "black_hole": black_hole,
    "settings": settings,
    "groups": groups,
    "versions": versions,
    "long_outage": broker_faults.outage,
    "clock": clock,
}

_AFTERMATH_S: dict[Kind, float] = {
    "outage": 0.0,
    "answers_lost": 0.0,
    "broker_restart": BACK_S,
    "leader": BACK_S,
    "coordinator": BACK_S,
    "resets": BACK_S,
    "long_outage": 0.0,
}
"""The faults that may hold up any worker that is told to stop, and for how long they are felt once they are over."""
