"""Send a manifest's events at their times, or as fast as the broker takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

from syncline.errors import AbortedError, BrokerError
from syncline.manifest import Step
from syncline.producer import Delivery, MediaProducer

_MAX_ON_THEIR_WAY = 2_000
"""Deliveries awaited at a time: bounds memory when the broker is slower than the disk."""


async def replay(producer: MediaProducer, steps: Sequence[Step], rate: float = 1.0, transaction_ms: int = 0) -> int:
    """Send all steps and wait until each is on the broker; returns how many were not taken.

    rate: 1 sends as the steps' times say, 2 twice as fast, 0 as fast as possible. transaction_ms: so much of the steps'
    time is one transaction, 0 sends without. A failed delivery does not stop the others, and fails all of its
    transaction; it is counted. Raises what `MediaProducer.send_soon` and `transaction` raise, and OSError where a file
    has gone.
    """
    start_s = asyncio.get_running_loop().time()
    if not transaction_ms:
        return await _send(producer, steps, rate, start_s)
    n_failed = 0
    for _, group in groupby(steps, lambda step: step.due_ms // transaction_ms):
        together = list(group)
        try:
            async with producer.transaction():
                await _send(producer, together, rate, start_s)
        except AbortedError:
            n_failed += len(together)
    return n_failed


async def _send(producer: MediaProducer, steps: Sequence[Step], rate: float, start_s: float) -> int:
    loop = asyncio.get_running_loop()
    waiting: set[asyncio.Future[Delivery]] = set()
    n_failed = 0
    for step in steps:
        if rate > 0:
            await asyncio.sleep(max(0.0, start_s + step.due_ms / 1000 / rate - loop.time()))
        data = None if step.file is None else await asyncio.to_thread(step.file.read_bytes)
        waiting.add(await producer.send_soon(step.entry.stream, step.entry.modality, data, **step.entry.fields()))
        if len(waiting) >= _MAX_ON_THEIR_WAY:
            n_failed += await _settle(waiting)
    return n_failed + await _settle(waiting)


async def _settle(waiting: set[asyncio.Future[Delivery]]) -> int:
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    waiting.clear()
    return sum(isinstance(outcome, BrokerError) for outcome in outcomes)
