"""The backlog that every joiner reads: the same moments, as CloudEvents, in the topics of one prefix."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from syncline.wire.contract import CONTENT_TYPES, MODALITIES, media_topic
from syncline.wire.events import MediaEvent, build_headers

ID_DIGITS = 8
"""Each value begins with its moment's number in so many digits, so that a result tells a moment from a mixture."""
PERIOD_MS = 100
IN_FLIGHT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is produced: `n_moments` spread over `n_streams`, each stream's `PERIOD_MS` apart.

    Each of a moment's three events comes up to `jitter_ms` after it; `share_dropped` of the events never come.
    """

    n_moments: int = 30_000
    n_streams: int = 16
    n_bytes: int = 1_000
    jitter_ms: int = 40
    share_dropped: float = 0.0
    seed: int = 7

    def events(self, start_ms: int) -> Iterator[tuple[int, MediaEvent]]:
        """(moment, event), moments in order; the first is at `start_ms`."""
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
        """`n_bytes` of ASCII that begin with the moment's number."""
        number = f"{moment:0{ID_DIGITS}d}"
        letters = random.Random(moment).choices("abcdefghijklmnop", k=64)
        return (number + "".join(letters) * (self.n_bytes // 64 + 1))[: self.n_bytes].encode()


async def produce(brokers: str, prefix: str, backlog: Backlog) -> set[int]:
    """Write the backlog; returns the moments of which all three events were written."""
    n_events: dict[int, int] = {}
    span_ms = backlog.n_moments // backlog.n_streams * PERIOD_MS
    # The last event is as old as now: none is ahead of its append time, none older than any retention.
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
