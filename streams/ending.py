"""What a worker does once it was told to stop, step by step, within one deadline (streams/stopping.py)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from streams.kafka.app import SynclineApp
from streams.metrics.sources import Sources
from streams.stopping import CARRY_OUT_UNTIL, DISCONNECT_UNTIL, LEAVE_UNTIL, Deadline, end_tasks

log = logging.getLogger(__name__)

CARRY_OUT = "what is decided is not carried out"
COMMIT = "not all that is resolved is committed: some results may come twice"
LEAVE = "the group was not left: the others wait for the session's end"


class Ending:
    """The end of one worker. `closers` disconnect what has been started; they may hang."""

    def __init__(self, deadline: Deadline, sources: Sources) -> None:
        self._deadline, self._sources = deadline, sources
        self._to_do: list[str] = []
        self.closers: list[Callable[[], Awaitable[None]]] = []

    def begins_to_work(self) -> None:
        """From now on there is something to carry out, to commit and to leave."""
        self._to_do = [CARRY_OUT, COMMIT, LEAVE]

    def undone(self) -> list[str]:
        """What should have been done before the end and is not, in words; may be asked from any thread."""
        return [*self._sources.hub.left, *self._to_do]

    async def stop_working(self, app: SynclineApp, joining: asyncio.Task[Any]) -> None:
        """Read no more, carry out what is decided, commit, leave the group; `joining` is the application's start."""
        self._deadline.begin()
        self._sources.starting = "stopping"
        if self._sources.broken is None:
            log.info("stopping: carrying out what is decided")
            await self._carry_out(app)
        self._sources.hub.stop()
        hanging = await self._deadline.wait([app.stop()], LEAVE_UNTIL)
        if not hanging and self._has_left(app):
            self._to_do.remove(LEAVE)
        await self._deadline.wait([end_tasks([joining])], DISCONNECT_UNTIL)

    async def _carry_out(self, app: SynclineApp) -> None:
        await self._sources.hub.close(self._deadline.left_s(CARRY_OUT_UNTIL))
        self._to_do.remove(CARRY_OUT)  # what of it was not possible, the hub says
        if await app.batches.commit_all(self._deadline.left_s(LEAVE_UNTIL)):
            self._to_do.remove(COMMIT)

    def _has_left(self, app: SynclineApp) -> bool:
        if not app.batches.is_member:
            return True
        if self._sources.hub.n_assignments:
            return False
        # It has asked to be let in and was not answered: a group can only be left under the name that the answer gives.
        log.info("stopped while it joined the group: the others may wait for its session's end")
        return True

    async def disconnect(self, starting: asyncio.Task[Any], pool: ThreadPoolExecutor) -> None:
        """Close everything at once; whoever does not come to an end is left to the end of the process."""
        self._deadline.begin()
        self._sources.hub.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        works = [end_tasks([starting]), *(close() for close in self.closers)]
        await self._deadline.wait(works, DISCONNECT_UNTIL)
