"""The clock that timers of the service are handed, so that tests can turn it by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Protocol


class Clock(Protocol):
    """Monotonic seconds, and sleep by the same measure."""

    def now_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    async def sleep_s(self, seconds: float) -> None:
        """Return when `now_s` has moved on by `seconds`."""
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
    """Wait for `event`, but no longer than `seconds` of `clock`; say whether the event is set."""
    waits = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep_s(seconds))}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return event.is_set()


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel them, and wait for their end."""
    all_tasks = list(tasks)
    for task in all_tasks:
        task.cancel()
    if all_tasks:
        await asyncio.wait(all_tasks)
