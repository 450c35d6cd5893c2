"""Chooses the events to convert, runs the worker's converters and makes the records."""

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
    """A conversion to make: the event, the converter, and the id of the event's set or ""."""

    item: Item
    payload: Payload
    runner: ConverterRunner
    set_id: str


class Conversions:
    """The converters of one worker; `pool` decodes for them. Without runners nothing is converted.

    streams: patterns (`lobby-*`) of the streams to convert; empty: all streams.
    """

    def __init__(
        self,
        runners: Sequence[ConverterRunner] = (),
        pool: ThreadPoolExecutor | None = None,
        streams: Sequence[str] = (),
    ) -> None:
        self.runners, self._pool, self._streams = tuple(runners), pool, tuple(streams)
        self.made = Counter[tuple[str, str]]()
        """The number of events by kind and outcome (`made`, `refused`)."""
        self.took_ms = {runner.kind: Histogram(LATENCY_BOUNDS_MS) for runner in runners}
        """By kind, the time from the publication of an event's outcome: decoding, waiting and running."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of conversion that this worker makes."""
        return frozenset(runner.kind for runner in self.runners)

    async def start(self) -> None:
        """Open all converters and warm them up. Raises their errors."""
        for runner in self.runners:
            await runner.start()

    async def close(self) -> None:
        """Stop at once; waiting callers get `NoAnswerError`."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.gather(*(runner.close() for runner in self.runners))

    def of(self, task: Task, set_id: Callable[[], str]) -> list[Wanted]:
        """Return the conversions of a task that is being published; an event shared by sets is converted once."""
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
        """Make the record to publish: a conversion, or why there is none. Raises `NoAnswerError`."""
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
    """Tell whether a stream's name matches one of the patterns; without patterns it does."""
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
    """Make the record of one conversion of `event`, or of why there is none."""
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
