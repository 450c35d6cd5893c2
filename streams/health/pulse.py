"""The event loop's pulse: a timer whose lateness says for how long the loop stood still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from streams.histogram import Histogram

BEAT_S = 0.1


async def beat(stall_ms: Histogram, on_beat: Callable[[], None]) -> None:
    """For ever: wait, count by how much the wait was too long, call `on_beat`."""
    while True:
        due_s = time.monotonic() + BEAT_S
        await asyncio.sleep(BEAT_S)
        stall_ms.add(max(0.0, time.monotonic() - due_s) * 1_000)
        on_beat()
