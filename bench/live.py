"""Sends a backlog as it would come live: each event at its own time, and nothing is waited for but the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from bench.records import PERIOD_MS, Backlog
from syncline.kafka.client import start_producer
from syncline.kafka.cluster import Cluster
from syncline.wire.contract import media_topic
from syncline.wire.events import MediaEvent, build_headers

OnSent = Callable[[int, MediaEvent], None]
MAX_IN_FLIGHT = 20_000
"""Beyond, the broker is what is slow: better late than without end in memory."""


def per_s(backlog: Backlog) -> float:
    """Events a second, those that are dropped not counted."""
    return 3 * backlog.n_streams * 1_000 / PERIOD_MS * (1 - backlog.share_dropped)


class LiveProducer:
    """One run over a backlog. `on_sent(moment, event)` is called when the broker has acknowledged an event."""

    def __init__(self, brokers: str, prefix: str, backlog: Backlog, on_sent: OnSent) -> None:
        self._brokers, self._prefix, self._backlog, self._on_sent = brokers, prefix, backlog, on_sent
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._stopped = False
        self.n_failed = 0
        self.behind_s = 0.0
        """By how much the last event left later than its time."""

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True

    async def run(self) -> None:
        """Send all of it; returns when everything that was sent has been acknowledged or has failed."""
        producer = await start_producer(Cluster.of(self._brokers), linger_ms=2, max_batch_size=2**18)
        start_ms = int(time.time() * 1_000) // PERIOD_MS * PERIOD_MS  # a moment never reaches over a bucket's edge
        moments_per_s = self._backlog.n_streams * 1_000 / PERIOD_MS
        started_s = time.monotonic()
        try:
            for moment, event in self._backlog.events(start_ms):
                if self._stopped:
                    break
                self.behind_s = time.monotonic() - started_s - moment / moments_per_s
                if self.behind_s < -0.01 or len(self._in_flight) >= MAX_IN_FLIGHT:
                    await asyncio.sleep(max(0.01, -self.behind_s))
                await self._send(producer, moment, event)
            while self._in_flight:
                await asyncio.wait(self._in_flight)
        finally:
            await producer.stop()

    async def _send(self, producer: Any, moment: int, event: MediaEvent) -> None:
        topic, value = self._prefix + media_topic(event.modality), self._backlog.value(moment)
        future = await producer.send(topic, value, event.stream.encode(), headers=build_headers(event))
        self._in_flight.add(future)

        def on_done(done: asyncio.Future[Any]) -> None:
            self._in_flight.discard(done)
            if done.cancelled() or done.exception() is not None:
                self.n_failed += 1
            else:
                self._on_sent(moment, event)

        future.add_done_callback(on_done)
