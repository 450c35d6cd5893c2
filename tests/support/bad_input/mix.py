"""Bad input among good: moments of several streams, with bad records between them in the same streams' logs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from syncline.wire.events import build_headers
from syncline.wire.placement import partition_for
from tests.support.bad_input.case import Case, Place, Raw
from tests.support.moments import PERIOD_MS, Sample, Sent, moments
from tests.support.tiny_corpus import png, wav

N_STREAMS = 8
_N_FILES = 16
"""Good media that recur."""
_WIDE_MS = 40
"""Bad records lie in the midst of a period, in so many ms: none is within the tolerance of a good one."""
_WAITING = 500
"""Sends that are on their way at once."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record to send, in the partition of `stream` (misplaced ones beside it); of a good one `sample` is there."""

    raw: Raw
    stream: str
    case: Case | None = None
    sample: Sample | None = None


@dataclass
class SentMix:
    """What was sent: good records as other tests have them, bad ones by (unprefixed topic, partition, offset)."""

    good: Sent = field(default_factory=Sent)
    bad: dict[tuple[str, int, int], Line] = field(default_factory=dict[tuple[str, int, int], Line])


def mixed(cases: Sequence[Case], n_moments: int, first: int = 0) -> Iterator[Line]:
    """All cases, spread evenly over the moments from `first` on; each in a good stream, after its newest moment."""
    files = {"image": [png(n, 32) for n in range(_N_FILES)], "audio": [wav(n, 0.1) for n in range(_N_FILES)]}
    n_bad = 0
    for moment in range(first, first + n_moments):
        samples = [_with_media(sample, files) for sample in moments(1, n_streams=N_STREAMS, first=moment)]
        for sample in samples:
            yield Line(_raw(sample), sample.event.stream, sample=sample)
        stream, until = samples[0].event.stream, (moment - first + 1) * len(cases) // n_moments
        begin_ms = samples[0].event.time_ms + PERIOD_MS // 2 - _WIDE_MS // 2
        for number in range(n_bad, until):
            place = Place(stream, begin_ms + (number - n_bad) * _WIDE_MS // (until - n_bad), f"bad-{first}-{number}")
            yield Line(cases[number].place(place), stream, case=cases[number])
        n_bad = until


def _with_media(sample: Sample, files: dict[str, list[bytes]]) -> Sample:
    """The sample with a file that can be decoded."""
    modality, number = sample.event.modality, sample.moment % _N_FILES
    if modality == "text":
        return Sample(sample.moment, sample.event, f"a red apple, {sample.moment}".encode())
    content_type = {"image": "image/png", "audio": "audio/wav"}[modality]
    event = msgspec.structs.replace(sample.event, content_type=content_type)
    return Sample(sample.moment, event, files[modality][number])


def _raw(sample: Sample) -> Raw:
    event = sample.event
    return Raw(event.topic, event.stream.encode(), sample.value, list(build_headers(event)), misplaced=False)


async def send_mixed(
    brokers: str, prefix: str, lines: Iterable[Line], n_partitions: int, max_record_bytes: int, sent: SentMix
) -> None:
    """Send the lines in their order, as fast as it goes; `sent` is filled as the broker has them."""
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=brokers, linger_ms=5, max_batch_size=200_000, max_request_size=max_record_bytes
    )
    await producer.start()
    waiting: list[tuple[Any, Line]] = []
    try:
        for line in lines:
            partition = (partition_for(line.stream.encode(), n_partitions) + line.raw.misplaced) % n_partitions
            raw = line.raw
            waiting.append(
                (await producer.send(prefix + raw.topic, raw.value, raw.key, partition, headers=raw.headers), line)
            )
            if len(waiting) >= _WAITING:
                await _note(prefix, waiting, sent)
                await asyncio.sleep(0)
        await _note(prefix, waiting, sent)
    finally:
        await producer.stop()


async def _note(prefix: str, waiting: list[tuple[Any, Line]], sent: SentMix) -> None:
    for future, line in waiting:
        metadata = await future
        place = (metadata.topic.removeprefix(prefix), metadata.partition, metadata.offset)
        if line.sample is not None:
            sent.good.records[place] = line.sample
        else:
            sent.bad[place] = line
    waiting.clear()
