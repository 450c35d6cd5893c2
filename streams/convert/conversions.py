"""Which events are converted, and by which of a worker's converters; and the records that come of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from models.interface import Text
from streams.convert.conversion_check import Answer, Refused, Sound
from streams.convert.runner import ConverterRunner
from streams.decisions.records import InFlightRecord, Task
from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from streams.join.items import Item, RunDecision, SetDecision, UnfusedDecision
from streams.payload import Payload
from syncline.wire.contract import MAX_DETAIL
from syncline.wire.converted import ConvertedAudio, ConvertedText, encode_converted
from syncline.wire.events import MediaEvent
from syncline.wire.ids import conversion_id
from syncline.wire.results import ModelInfo, OutgoingRecord


class Wanted(NamedTuple):
    """A conversion to make: of which event, by which converter, and the set that the event is in, or ""."""

    item: Item
    payload: Payload
    runner: ConverterRunner
    set_id: str


class Conversions:
    """The converters of one worker; `pool` decodes for them. Without any, nothing is converted.

    streams: patterns (`lobby-*`) of the names of the streams that are converted; all of them without any.
    """

    def __init__(
        self,
        runners: Sequence[ConverterRunner] = (),
        pool: ThreadPoolExecutor | None = None,
        streams: Sequence[str] = (),
    ) -> None:
        self.runners, self._pool, self._streams = tuple(runners), pool, tuple(streams)
        self.made = Counter[tuple[str, str]]()
        """By kind and outcome (`made`, `refused`), how many events were converted, or were not."""
        self.took_ms = {runner.kind: Histogram(LATENCY_BOUNDS_MS) for runner in runners}
        """By kind, from the moment that an event's outcome was published: decoding, waiting and running."""

    @property
    def kinds(self) -> frozenset[str]:
        """What is made here."""
        return frozenset(runner.kind for runner in self.runners)

    async def start(self) -> None:
        """Open all converters and warm them up; raises what they raise."""
        for runner in self.runners:
            await runner.start()

    async def close(self) -> None:
        """Stop at once; who still waits gets `NoAnswerError`."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(*(runner.close() for runner in self.runners))

    def of(self, task: Task, set_id: Callable[[], str]) -> list[Wanted]:
        """What a task that is published now wants converted; each event is named once, whatever sets share it."""
        if not self.runners:
            return []
        wanted: list[Wanted] = []
        name = set_id()
        for item, payload in _converted_of(task):
            if payload.event is None or payload.is_converted or not matches(payload.event.stream, self._streams):
                continue
            payload.is_converted = True
            takes = [runner for runner in self.runners if runner.model.modality == payload.event.modality]
            wanted += [Wanted(item, payload, runner, name) for runner in takes]
        return wanted

    async def make(self, wanted: Wanted, partition: int) -> OutgoingRecord:
        """The record to publish, of what was made or of why there is nothing; raises `NoAnswerError`."""
        event, value = _event(wanted.payload), wanted.payload.raw.value
        kind, started_s = wanted.runner.kind, time.monotonic()
        answer = await wanted.runner.convert(value, event.content_type, event.language or None)
        self.took_ms[kind].add((time.monotonic() - started_s) * 1_000)
        self.made[kind, "refused" if isinstance(answer, Refused) else "made"] += 1
        model = wanted.runner.model
        return converted_record(
            event, wanted.item, partition, kind, answer, ModelInfo(model.name, model.version),
            wanted.set_id,
        )  # fmt: skip


def matches(stream: str, patterns: Sequence[str]) -> bool:
    """Whether a stream's name fits one of the patterns; without any it does."""
    return not patterns or any(fnmatchcase(stream, pattern) for pattern in patterns)


def _converted_of(task: Task) -> Iterator[tuple[Item, Payload]]:
    decision, held = task.decision, task.records
    if isinstance(decision, SetDecision):
        if task.failed is None:
            yield from ((item, _payload(one)) for item, one in zip(decision.members, held, strict=True) if one)
    elif isinstance(decision, UnfusedDecision | RunDecision):
        unfused = isinstance(decision, UnfusedDecision) or decision.outcome == "unfused"
        one = held[0]
        if unfused and decision.reason != "duplicate" and one is not None and one.item is not None:
            yield one.item, _payload(one)


def _payload(held: InFlightRecord) -> Payload:
    if held.record is None:
        raise ValueError(f"{held.topic} offset {held.offset} was resolved before it was converted")
    return held.record.payload


def _event(payload: Payload) -> MediaEvent:
    if payload.event is None:
        raise ValueError("an event without valid headers is not converted")
    return payload.event


def converted_record(
    event: MediaEvent, item: Item, partition: int, kind: str, answer: Answer, model: ModelInfo, set_id: str
) -> OutgoingRecord:
    """The record of one conversion of `event`, or of why there is none."""
    alone = None if set_id else (item.topic, partition, item.offset)
    about: dict[str, Any] = {
        "id": conversion_id(event.stream, item.lane, event.time_ms, event.source, event.id, kind, alone),
        "stream": event.stream,
        "lane": item.lane,
        "modality": event.modality,
        "source": event.source,
        "event_id": event.id,
        "topic": item.topic,
        "partition": partition,
        "offset": item.offset,
        "time_ms": item.time_ms,
        "duration_ms": event.duration_ms,
        "language": ("" if isinstance(answer, Refused) else answer.language) or event.language,
        "model": model,
        "set_id": set_id,
        "kind": "speech" if isinstance(answer, Sound) else kind,
    }
    return encode_converted(_said(kind, answer, about), event.traceparent, event.tracestate)


def _said(kind: str, answer: Answer, about: dict[str, Any]) -> ConvertedText | ConvertedAudio:
    if isinstance(answer, Text):
        return ConvertedText(**about, text=answer.text, score=answer.score, words=answer.words)
    if isinstance(answer, Sound):
        return ConvertedAudio(
            **about,
            content_type=answer.content_type,
            sample_rate_hz=answer.sample_rate_hz,
            sound_ms=answer.sound_ms,
            data=answer.data,
        )
    about |= {"reason": answer.reason, "detail": answer.detail[:MAX_DETAIL]}
    return ConvertedAudio(**about) if kind == "speech" else ConvertedText(**about, text="", score=0.0)
