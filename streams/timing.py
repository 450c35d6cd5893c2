"""The clock of the service's timers, which tests replace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Protocol


class Clock(Protocol):
    """Monotonic seconds, and sleep on the same clock."""

    def now_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    async def sleep_s(self, seconds: float) -> None:
        """Return when `now_s` has advanced by `seconds`."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()

    async def sleep_s(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


async def wait_at_most(event: asyncio.Event, seconds: float, clock: Clock) -> bool:
    """Wait for `event` for at most `seconds` of `clock`; return whether it is set."""
    waits = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep_s(seconds))}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return event.is_set()


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended."""
    all_tasks = list(tasks)
    for task in all_tasks:
        task.cancel()
    if all_tasks:
        await asyncio.wait(all_tasks)
