"""The events of all runs: the same moments as CloudEvents, sent as a backlog or each at its time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from syncline.kafka.client import start_producer
from syncline.kafka.cluster import Cluster
from syncline.wire.contract import CONTENT_TYPES, MODALITIES, media_topic
from syncline.wire.events import MediaEvent, build_headers

ID_DIGITS = 8
"""Digits of the moment's number at the start of each value, by which mixed results are found."""
PERIOD_MS = 100
IN_FLIGHT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """A backlog: `n_moments` spread over `n_streams`, each stream's `PERIOD_MS` apart.

    A moment's three events come up to `jitter_ms` after it; `share_dropped` of the events are left out.
    """

    n_moments: int = 30_000
    n_streams: int = 16
    n_bytes: int = 1_000
    jitter_ms: int = 40
    share_dropped: float = 0.0
    seed: int = 7

    def events(self, start_ms: int) -> Iterator[tuple[int, MediaEvent]]:
        """Yield (moment, event), moments in order; the first is at `start_ms`."""
        rng = random.Random(self.seed)
        for moment in range(self.n_moments):
            stream = f"bench-{moment % self.n_streams:02d}"
            moment_ms = start_ms + moment // self.n_streams * PERIOD_MS
            for modality in MODALITIES:
                time_ms = moment_ms + rng.randint(0, self.jitter_ms)
                if rng.random() >= self.share_dropped:
                    yield (
                        moment,
                        MediaEvent(
                            stream=stream,
                            modality=modality,
                            source=f"urn:bench:{modality}",
                            id=str(moment),
                            time_ms=time_ms,
                            content_type=CONTENT_TYPES[modality][0],
                        ),
                    )

    def value(self, moment: int) -> bytes:
        """Return `n_bytes` of ASCII that begin with the moment's number."""
        number = f"{moment:0{ID_DIGITS}d}"
        letters = random.Random(moment).choices("abcdefghijklmnop", k=64)
        return (number + "".join(letters) * (self.n_bytes // 64 + 1))[: self.n_bytes].encode()


async def produce(brokers: str, prefix: str, backlog: Backlog) -> set[int]:
    """Write the backlog; return the moments with all three events written."""
    n_events: dict[int, int] = {}
    span_ms = backlog.n_moments // backlog.n_streams * PERIOD_MS
    # The last event is of now: none is ahead of its append time or older than the retention.
    start_ms = int(time.time() * 1_000) - span_ms - 10_000
    async with AIOKafkaProducer(bootstrap_servers=brokers, acks="all", linger_ms=5, max_batch_size=2**18) as producer:
        sent: list[asyncio.Future[object]] = []
        for moment, event in backlog.events(start_ms):
            future = await producer.send(
                prefix + media_topic(event.modality),
                key=event.stream.encode(),
                value=backlog.value(moment),
                headers=build_headers(event),
                timestamp_ms=event.time_ms,
            )
            sent.append(future)
            n_events[moment] = n_events.get(moment, 0) + 1
            if len(sent) == IN_FLIGHT:
                await asyncio.gather(*sent)
                sent.clear()
        await asyncio.gather(*sent)
    return {moment for moment, n in n_events.items() if n == len(MODALITIES)}


OnSent = Callable[[int, MediaEvent], None]
MAX_IN_FLIGHT = 20_000
"""Limit of unacknowledged events; above it send late rather than fill memory."""


def per_s(backlog: Backlog) -> float:
    """Return the events a second, without dropped ones."""
    return 3 * backlog.n_streams * 1_000 / PERIOD_MS * (1 - backlog.share_dropped)


class LiveProducer:
    """Sends a backlog live. `on_sent(moment, event)` is called on each acknowledgement."""

    def __init__(self, brokers: str, prefix: str, backlog: Backlog, on_sent: OnSent) -> None:
        self._brokers, self._prefix, self._backlog, self._on_sent = brokers, prefix, backlog, on_sent
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._stopped = False
        self.n_failed = 0
        self.behind_s = 0.0
        """How late the last event was sent, s."""

    def stop(self) -> None:
        """Stop sending."""
        self._stopped = True

    async def run(self) -> None:
        """Send all of it; return when every send has been acknowledged or has failed."""
        producer = await start_producer(Cluster.of(self._brokers), linger_ms=2, max_batch_size=2**18)
        start_ms = int(time.time() * 1_000) // PERIOD_MS * PERIOD_MS  # a moment is always in one bucket
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
