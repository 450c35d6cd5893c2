"""Media records for worker tests: moments of several streams, each an image, a text and an audio at the same time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from syncline.wire.contract import CONTENT_TYPES, MODALITIES, media_topic
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.placement import partition_for

START_MS = 1_700_000_000_000
PERIOD_MS = 200
JITTER_MS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One media record to be sent; `moment` is the same for those that belong together."""

    moment: int
    event: MediaEvent
    value: bytes = b"x"


def moments(
    n_moments: int, *, n_streams: int = 16, missing: float = 0.0, seed: int = 0, first: int = 0, n_bytes: int = 100
) -> list[Sample]:
    """Samples of `n_moments` moments, in time order of each stream; each record is left out with chance `missing`."""
    random_ = random.Random(seed)
    samples: list[Sample] = []
    for moment in range(first, first + n_moments):
        time_ms = START_MS + moment // n_streams * PERIOD_MS
        for modality in MODALITIES:
            jitter_ms = random_.randrange(JITTER_MS)
            if random_.random() < missing:
                continue
            event = MediaEvent(
                stream=f"stream-{moment % n_streams}",
                modality=modality,
                source=f"urn:test:{modality}",
                id=str(moment),
                time_ms=time_ms + jitter_ms,
                content_type=CONTENT_TYPES[modality][0],
            )
            samples.append(Sample(moment, event, b"x" * n_bytes))
    return samples


@dataclass
class Sent:
    """What was sent: by (unprefixed topic, partition, offset) the sample."""

    records: dict[tuple[str, int, int], Sample] = field(default_factory=dict[tuple[str, int, int], Sample])

    def complete_moments(self) -> dict[int, int]:
        """By moment, how many of its records were sent."""
        counts: dict[int, int] = {}
        for sample in self.records.values():
            counts[sample.moment] = counts.get(sample.moment, 0) + 1
        return counts


async def send(
    brokers: str,
    prefix: str,
    samples: Sequence[Sample],
    n_partitions: int,
    *,
    per_s: float = 0,
    sent: Sent | None = None,
) -> Sent:
    """Send samples, at most `per_s` a second (0: as fast as it goes), and return where they are."""
    sent = Sent() if sent is None else sent
    producer: Any = AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=5, max_batch_size=200_000)
    await producer.start()
    try:
        start_s, waiting = time.monotonic(), list[tuple[Any, Sample]]()
        for number, sample in enumerate(samples):
            if per_s and (ahead_s := number / per_s - (time.monotonic() - start_s)) > 0.01:
                await asyncio.sleep(ahead_s)
            waiting.append((await send_one(producer, prefix, sample, n_partitions), sample))
        for future, sample in waiting:
            metadata = await future
            sent.records[metadata.topic.removeprefix(prefix), metadata.partition, metadata.offset] = sample
    finally:
        await producer.stop()
    return sent


async def send_one(producer: Any, prefix: str, sample: Sample, n_partitions: int) -> Any:
    """Hand one sample to a producer; await what is returned for its place."""
    key = sample.event.stream.encode()
    topic = prefix + media_topic(sample.event.modality)
    partition = partition_for(key, n_partitions)
    return await producer.send(topic, sample.value, key, partition, headers=build_headers(sample.event))


async def send_raw(brokers: str, records: Iterable[tuple[str, int, bytes | None, bytes | None, list[Any]]]) -> None:
    """Send (topic, partition, key, value, headers) as they are."""
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        for topic, partition, key, value, headers in records:
            await producer.send_and_wait(topic, value, key, partition, headers=headers)
