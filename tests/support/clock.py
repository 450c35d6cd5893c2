"""A clock that tests turn by hand."""

from __future__ import annotations

import asyncio


class HandClock:
    """Monotonic seconds that move only when `advance` is called."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now_s(self) -> float:
        """Seconds since the clock was made."""
        return self._now_s

    async def sleep_s(self, seconds: float) -> None:
        """Return when the clock has been turned by `seconds`."""
        wakes: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((round(self._now_s + seconds, 9), wakes))
        await wakes

    async def advance(self, seconds: float) -> None:
        """Turn the clock, wake who is due, and let everything run that can run."""
        self._now_s = round(self._now_s + seconds, 9)
        for due_s, wakes in self._sleepers:
            if due_s <= self._now_s and not wakes.done():
                wakes.set_result(None)
        self._sleepers = [(due_s, wakes) for due_s, wakes in self._sleepers if not wakes.done()]
        await settle()


async def settle() -> None:
    """Let every task run until it waits for something that only the test can bring."""
    for _ in range(50):
        await asyncio.sleep(0)
