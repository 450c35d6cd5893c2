"""Giving one partition number to whoever comes next, so that nothing is published twice.

    rest --> all that is decided is carried out, or the time is over
         --> publish nothing more; what was handed to the producer arrives
         --> a snapshot that names what is resolved

Only what has been handed to the producer counts: a set that the model has not answered is left to the successor, which
reads in the log what belongs to it. So is one whose conversions are not made, which is then published twice: slow
converters are waited for as long as there is time, and no longer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from streams.decisions.owner import PartitionOwner
from streams.partition.executor import Executor

log = logging.getLogger(__name__)

LOOK_S = 0.005


class Handover:
    """Of one driver; `over` says that the driver was stopped meanwhile.

    `settle_s`: for what was handed to the producer and for the snapshot, beyond the time for carrying out.
    """

    def __init__(
        self,
        owner: PartitionOwner,
        carrier: Executor,
        schedule: Callable[[], None],
        over: Callable[[], bool],
        settle_s: float,
    ) -> None:
        self._owner, self._carrier, self._schedule, self._over = owner, carrier, schedule, over
        self._settle_s = settle_s
        self._until_s = float("inf")
        self._task: asyncio.Task[list[str]] | None = None

    async def run(self, limit_s: float) -> list[str]:
        """What could not be done, in words. Asked twice, it happens once, within the shorter limit."""
        self._until_s = min(self._until_s, time.monotonic() + limit_s)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="handover")
        return await asyncio.shield(self._task)

    async def _run(self) -> list[str]:
        self._owner.rest()
        left = [] if await self._until(lambda: self._owner.idle, 0) else self._what_is_left()
        self._carrier.finish()
        if not await self._until(lambda: not self._carrier.sending, self._settle_s):
            left += self._carrier.failing or ["results are still being sent"]
        self._owner.ask_for_snapshot()
        self._schedule()
        if not await self._until(lambda: self._owner.snapshot_is_written, self._settle_s):
            left.append("the decision log does not say where things stand")
        return left

    def _what_is_left(self) -> list[str]:
        if self._owner.state != "owning":
            return ["the decision log is another worker's"]
        n_left = self._owner.execution.n_to_do
        if 0 < n_left <= self._carrier.n_converting:
            log.info("%d results are out and their conversions are not made: who comes next says both again", n_left)
            return []
        return [f"{n_left} decisions were not carried out" if n_left else "decisions were not confirmed by the log"]

    async def _until(self, done: Callable[[], bool], more_s: float) -> bool:
        """Wait for `done`; False once the time is over, or nothing more can come of it."""
        while not done():
            if self._over() or self._owner.state != "owning" or time.monotonic() > self._until_s + more_s:
                return False
            await asyncio.sleep(LOOK_S)
        return True
