"""Hands one partition number over to its next owner, so that nothing is published twice.

    rest --> wait until all decisions are carried out, or the time is over
         --> publish nothing more; wait for the producer to send what it has
         --> write a snapshot that names what is resolved

A set that the model has not answered is left to the next owner, which finds its members in the log. So is a set whose
conversions are unfinished: it is then published twice. Slow converters are waited for until the limit.
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
    """The handover of one driver.

    Args:
        owner (PartitionOwner): the driver's owner.
        carrier (Executor): carries out its decisions.
        schedule (Callable[[], None]): runs the owner soon.
        over (Callable[[], bool]): whether the driver was stopped meanwhile.
        settle_s (float): extra time for the producer and for the snapshot, s each.
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
        """Hand over once; return what was not done, in words. A second call shares the run and the shorter limit."""
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
            left.append("the snapshot was not written to the decision log")
        return left

    def _what_is_left(self) -> list[str]:
        if self._owner.state != "owning":
            return ["another worker owns the decision log"]
        n_left = self._owner.execution.n_to_do
        if 0 < n_left <= self._carrier.n_converting:
            log.info("%d results are published without their conversions: the next owner publishes both again", n_left)
            return []
        return [f"{n_left} decisions were not carried out" if n_left else "decisions were not confirmed by the log"]

    async def _until(self, done: Callable[[], bool], more_s: float) -> bool:
        """Wait for `done`; return False if the time is over, or the driver or its ownership has ended."""
        while not done():
            if self._over() or self._owner.state != "owning" or time.monotonic() > self._until_s + more_s:
                return False
            await asyncio.sleep(LOOK_S)
        return True
