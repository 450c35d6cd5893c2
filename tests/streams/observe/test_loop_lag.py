"""streams/observe/liveness.py: how late the event loop's timers are."""

from __future__ import annotations

import asyncio
import time

from streams.histogram import Histogram
from streams.observe.liveness import beat


async def test_a_stall_is_counted_with_its_length() -> None:
    """A loop that stood still for 300 ms is late by no less than 200."""
    stalls_ms, beaten = Histogram((50, 200)), asyncio.Event()
    beating = asyncio.create_task(beat(stalls_ms, beaten.set))
    await asyncio.wait_for(beaten.wait(), 300)
    beaten.clear()
    time.sleep(0.4)  # noqa: ASYNC251 (that is the loop standing still)
    await asyncio.wait_for(beaten.wait(), 300)
    beating.cancel()
    await asyncio.wait([beating])
    assert stalls_ms.counts[-1] >= 1
    assert stalls_ms.total >= 200
