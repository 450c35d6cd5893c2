"""Follows what is published in a run, and lets others wait until enough of it is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType

from tests.support.judge import Outcomes, Reader


class Progress:
    """Reads the result topics in the background; an async context manager."""

    def __init__(self, brokers: str, prefix: str, n_partitions: int) -> None:
        self._reader = Reader(brokers, prefix, n_partitions)
        self._more = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None
        self.last_s = time.monotonic()
        """When something was published last, on the monotonic clock."""

    async def __aenter__(self) -> Progress:
        await self._reader.__aenter__()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._reader.__aexit__()

    @property
    def outcomes(self) -> Outcomes:
        """What was read so far."""
        return self._reader.outcomes

    @property
    def n_decided(self) -> int:
        """How many records have an outcome."""
        return len(self.outcomes.by_record)

    async def until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Wait until `done` says so, looking whenever more was read; False if that took too long."""
        try:
            async with asyncio.timeout(limit_s), self._more:
                await self._more.wait_for(done)
        except TimeoutError:
            return False
        return True

    async def until_quiet(self, quiet_s: float) -> None:
        """Wait until nothing has been published for so long."""
        while (left_s := self.last_s + quiet_s - time.monotonic()) > 0:  # noqa: ASYNC110 (silence is no event)
            await asyncio.sleep(left_s)

    async def _read(self) -> None:
        while True:
            if await self._reader.read_some():
                self.last_s = time.monotonic()
            async with self._more:  # also where nothing came: who waits may wait for something else
                self._more.notify_all()
