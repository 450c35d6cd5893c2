"""Builds the records of a confirmed decision: a fused result and its conversions, unfused events, dead letters."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Any

from models.interface import Fusion, Text
from streams.convert.conversions import converted_record
from streams.decisions.entries import covered_ms
from streams.decisions.records import InFlightRecord, Task
from streams.join.items import Item, RunDecision, SetDecision, UnfusedDecision
from streams.payload import Payload
from syncline.wire.arrays import from_numpy
from syncline.wire.deadletters import encode_dead_letter, encode_unfused
from syncline.wire.events import MediaEvent
from syncline.wire.ids import record_id, result_id
from syncline.wire.results import (
    FusedResult,
    ModelInfo,
    OutgoingRecord,
    ResultMember,
    Unfused,
    UnfusedReason,
    encode_fused,
)


class Outputs:
    """Builds the records to publish for the tasks of one partition number.

    converted_elsewhere: kinds of conversions that the worker's converters make.
    """

    def __init__(
        self, partition: int, size_ms: int, model: ModelInfo, converted_elsewhere: Collection[str] = ()
    ) -> None:
        self._partition, self._size_ms, self._model = partition, size_ms, model
        self._converted_elsewhere = converted_elsewhere

    def of(self, task: Task, fusion: Fusion | None) -> list[OutgoingRecord]:
        """Return the records of `task`; `fusion` is set for a fused set."""
        decision = task.decision
        if isinstance(decision, SetDecision):
            if fusion is not None and task.failed is None:
                return self._fused(decision, task, fusion)
            return self._failed(task)
        (held,) = task.records
        if held is None:
            return []  # the record was deleted before its outcome was published
        if isinstance(decision, UnfusedDecision):
            return [self._unfused(held, decision.item, decision.reason, decision.late_by_ms)]
        if isinstance(decision, RunDecision) and decision.outcome == "unfused":
            return [self._unfused(held, held.item, decision.reason, 0)]
        return [self._dead_letter(held, decision.reason)]

    def _fused(self, decision: SetDecision, task: Task, fusion: Fusion) -> list[OutgoingRecord]:
        newest_ms, traceparent, tracestate = 0, "", ""
        members: list[ResultMember] = []
        for item, payload in _members(decision, task):
            event = payload.event
            members.append(
                ResultMember(
                    event.modality, item.lane, event.source, event.id, item.topic, self._partition, item.offset,
                    item.time_ms, event.duration_ms, payload.prepared.words, event.retries,
                )
            )  # fmt: skip
            newest_ms = max(newest_ms, item.append_ms)
            if event.traceparent and not traceparent:
                traceparent, tracestate = event.traceparent, event.tracestate
        start_ms, end_ms = covered_ms(decision, self._size_ms)
        result = FusedResult(
            id=self.set_id(task),
            stream=decision.stream,
            start_ms=start_ms,
            end_ms=end_ms,
            outcome=decision.outcome,
            reason=decision.reason,
            missing=decision.missing,
            members=tuple(members),
            labels=tuple(fusion.labels),
            embedding=None if fusion.embedding is None else from_numpy(fusion.embedding),
            model=self._model,
            timings_ms={"since_append": float(max(0, int(time.time() * 1000) - newest_ms))},
        )
        conversions = self._conversions(decision, task, fusion, result.id)
        return [encode_fused(result, traceparent, tracestate), *conversions]

    @staticmethod
    def set_id(task: Task) -> str:
        """Return the id of the set's fused result, without lost members, whose source and id are unknown."""
        decision = task.decision
        if not isinstance(decision, SetDecision):
            return ""
        events = [(item.lane, payload.event) for item, payload in _members(decision, task) if payload.event]
        context = [(lane, event.time_ms, event.source, event.id) for lane, event in events]
        return result_id(decision.stream, decision.strategy, context)

    def _conversions(self, decision: SetDecision, task: Task, fusion: Fusion, set_id: str) -> Iterator[OutgoingRecord]:
        """Yield the model's conversions of single members, except kinds that a converter makes."""
        members = list(_members(decision, task)) if fusion.conversions else []
        for said in fusion.conversions:
            if said.kind not in self._converted_elsewhere:
                item, payload = members[said.member]
                text = Text(said.text, said.score)
                yield converted_record(payload.event, item, self._partition, said.kind, text, self._model, set_id)

    def _failed(self, task: Task) -> list[OutgoingRecord]:
        set_id = self.set_id(task)
        return [
            self._dead_letter(held, task.failed or "model_failed", set_id) for held in task.records if held is not None
        ]

    def _unfused(
        self, held: InFlightRecord, item: Item | None, reason: UnfusedReason | str, late_by_ms: int
    ) -> OutgoingRecord:
        payload: Payload = _payload(held)
        event, raw = payload.event, payload.raw
        # The present settings may reject what earlier ones accepted: use the record's own headers then.
        stream, lane, time_ms = _place(item, event)
        unfused = Unfused(
            id=record_id(held.topic, self._partition, held.offset),
            stream=stream,
            lane=lane,
            modality=event.modality if event else held.topic.rpartition(".")[2],
            source=event.source if event else "",
            event_id=event.id if event else "",
            topic=held.topic,
            partition=self._partition,
            offset=held.offset,
            time_ms=time_ms,
            reason=reason,  # pyright: ignore[reportArgumentType]
            late_by_ms=late_by_ms,
            duration_ms=event.duration_ms if event else 0,
        )
        trace = (event.traceparent, event.tracestate) if event else ("", "")
        return encode_unfused(unfused, raw.headers, *trace)

    def _dead_letter(self, held: InFlightRecord, reason: str, set_id: str = "") -> OutgoingRecord:
        payload = _payload(held)
        rejected = held.record.rejected if held.record else None
        if rejected is not None:
            reason, detail = rejected.reason if set_id else reason, rejected.detail
        else:
            detail = f"its set {set_id} failed: {reason}" if set_id else ""
        raw = payload.raw
        return encode_dead_letter(
            reason=reason,
            detail=detail,
            topic=held.topic,
            partition=self._partition,
            offset=held.offset,
            key=raw.key,
            value=raw.value,
            headers=raw.headers,
            timestamp_ms=raw.timestamp,
            set_id=set_id,
        )


def _place(item: Item | None, event: MediaEvent | None) -> tuple[str, str, int]:
    """Return a record's stream, lane and time in ms."""
    if item is not None:
        return item.stream, item.lane, item.time_ms
    return (event.stream, event.lane, event.time_ms) if event is not None else ("", "", 0)


def _payload(held: InFlightRecord) -> Payload:
    if held.record is None:
        raise ValueError(f"{held.topic} offset {held.offset} was resolved before its outcome was published")
    return held.record.payload


def _members(decision: SetDecision, task: Task) -> Iterator[tuple[Item, Any]]:
    for item, held in zip(decision.members, task.records, strict=True):
        if held is not None:
            yield item, _payload(held)
