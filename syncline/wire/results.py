"""Fused results and unfused events, and their records.

Values are MessagePack maps, which any MessagePack library reads; headers are CloudEvents; ids are deterministic
(`syncline.wire.ids`), so a repeat after a crash has the id of the first. New fields always have a default.
Conversions are in `syncline.wire.converted`, dead letters in `syncline.wire.deadletters`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from syncline.errors import ContractError, NewerVersionError
from syncline.wire import contract as c
from syncline.wire.arrays import Array
from syncline.wire.timestamps import format_time

Outcome = Literal["complete", "partial"]
SetReason = Literal["complete", "watermark", "timeout", "pressure"]
UnfusedReason = Literal["late", "unmatched", "duplicate", "unexpected"]


class OutgoingRecord(NamedTuple):
    """A record ready to send; `topic` has no prefix."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


class MemberOrigin(msgspec.Struct, frozen=True, gc=False):
    """One event of a fused set and the place of its record."""

    modality: str
    lane: str
    source: str
    event_id: str
    topic: str
    partition: int
    offset: int
    time_ms: int
    duration_ms: int = 0


class ResultMember(MemberOrigin, frozen=True):
    """One event of a fused set.

    Attributes:
        modality (str): `image`, `text` or `audio`.
        lane (str): the event's lane.
        source (str): the event's `ce_source`.
        event_id (str): the event's `ce_id`.
        topic (str): the event's topic without prefix.
        partition (int): the event's partition.
        offset (int): the event's offset.
        time_ms (int): event time, ms since 1970.
        duration_ms (int): how long the event lasts, ms. Default 0.
        words (tuple[tuple[str, str], ...]): a text's words, each with its part of speech or "". Default: none.
        retries (int): how often the event was sent again after being a dead letter. Default 0.
    """

    words: tuple[tuple[str, str], ...] = ()
    retries: int = 0


class ModelInfo(msgspec.Struct, frozen=True):
    """The name and version of a model."""

    name: str
    version: str


class FusedSet(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The part of a fused result that its id determines; `FusedResult` describes the fields."""

    id: str
    stream: str
    start_ms: int
    end_ms: int
    outcome: Outcome
    reason: SetReason
    missing: tuple[str, ...]


class FusedResult(FusedSet, frozen=True, kw_only=True):
    """What all sources of one stream say about one moment.

    Two results with one id have the same members, missing lanes, outcome and reason; their scores agree within 1e-3.

    Attributes:
        id (str): deterministic; a repeat has the same.
        stream (str): the stream's name.
        start_ms (int): when the members begin (`tumbling`: the window), ms since 1970.
        end_ms (int): when the members end (`tumbling`: the window), ms since 1970.
        outcome (Outcome): `complete`, or `partial` if a lane is missing.
        reason (SetReason): what decided the set: `complete`, `watermark`, `timeout` or `pressure`.
        missing (tuple[str, ...]): the lanes that have no member.
        members (tuple[ResultMember, ...]): the events of the set.
        labels (tuple[tuple[str, float], ...]): (label, score from 0 to 1), best first. Default: none.
        embedding (Array | None): float32 (n_embedding,). Default None.
        model (ModelInfo | None): the model's name and version. Default None: no model.
        timings_ms (dict[str, float]): how long each step took, ms. Default: none.
        cut (tuple[str, ...]): parts left out because the result is too large for its topic: `words`, `embedding`.
            Default: none.
    """

    members: tuple[ResultMember, ...]
    labels: tuple[tuple[str, float], ...] = ()
    embedding: Array | None = None
    model: ModelInfo | None = None
    timings_ms: dict[str, float] = {}
    cut: tuple[str, ...] = ()


class EventOrigin(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Of which event a result is, and where that event's record is."""

    id: str
    stream: str
    lane: str
    modality: str
    source: str
    event_id: str
    topic: str
    partition: int
    offset: int
    time_ms: int


class Unfused(EventOrigin, frozen=True, kw_only=True):
    """An event in no set, and why. Its payload stays in its topic.

    Attributes:
        id (str): `topic/partition/offset` of the event's record.
        stream (str): the event's stream.
        lane (str): the event's lane.
        modality (str): the event's modality.
        source (str): the event's `ce_source`.
        event_id (str): the event's `ce_id`.
        topic (str): the event's topic without prefix.
        partition (int): the event's partition.
        offset (int): the event's offset.
        time_ms (int): event time, ms since 1970.
        reason (UnfusedReason): `late`, `unmatched`, `duplicate` or `unexpected`.
        late_by_ms (int): how far a late event was below what it missed (`UNFUSED_REASONS`), ms. Default 0.
        duration_ms (int): how long the event lasts, ms. Default 0.
    """

    reason: UnfusedReason
    late_by_ms: int = 0
    duration_ms: int = 0


_SPEC_VERSION = c.SPEC_VERSION.encode()
_SOURCE = c.RESULT_SOURCE.encode()
_CONTENT_TYPE = c.MSGPACK_TYPE.encode()
_ENCODER = msgspec.msgpack.Encoder()
_FUSED = msgspec.msgpack.Decoder(FusedResult)
_UNFUSED = msgspec.msgpack.Decoder(Unfused)
_VERSIONED = re.compile(r"syncline\..+\.v([1-9][0-9]{0,3})")
_T = TypeVar("_T")


def result_headers(
    event_id: str, event_type: str, stream: str, time_ms: int, traceparent: str = "", tracestate: str = ""
) -> list[tuple[str, bytes]]:
    """Make the CloudEvents headers of a record that the service writes; `time_ms` is in ms since 1970.

    Without a stream (a dead letter) `ce_subject` and `content-type` are left out.
    """
    headers = [
        (c.H_SPEC_VERSION, _SPEC_VERSION),
        (c.H_ID, event_id.encode()),
        (c.H_SOURCE, _SOURCE),
        (c.H_TYPE, event_type.encode()),
        (c.H_TIME, format_time(time_ms).encode()),
    ]
    if stream:
        headers += ((c.H_SUBJECT, stream.encode()), (c.H_CONTENT_TYPE, _CONTENT_TYPE))
    if traceparent:
        headers.append((c.H_TRACEPARENT, traceparent.encode()))
        if tracestate:
            headers.append((c.H_TRACESTATE, tracestate.encode()))
    return headers


def encode_fused(result: FusedResult, traceparent: str = "", tracestate: str = "") -> OutgoingRecord:
    """Encode a fused result as a record of `results.fused`, with the trace of the member that it continues."""
    headers = result_headers(result.id, c.FUSED_TYPE, result.stream, result.start_ms, traceparent, tracestate)
    return OutgoingRecord(c.FUSED, result.stream.encode(), _ENCODER.encode(result), headers)


def check_version(headers: Iterable[tuple[str, bytes | None]]) -> None:
    """Raise `NewerVersionError` if a result's headers name a version later than this client's."""
    kind = next(((value or b"").decode(errors="replace") for name, value in headers if name == c.H_TYPE), "")
    found = _VERSIONED.fullmatch(kind)
    if found is not None and int(found[1]) > c.VERSION:
        raise NewerVersionError(f"a result is of type {kind}, and this client knows version {c.VERSION}: upgrade it")


def decode_fused(value: bytes) -> FusedResult:
    """Decode a value of `results.fused`; `embedding` is a view of it. Raises `ContractError("bad_result")`."""
    result = decode_value(_FUSED, value)
    if result.embedding is not None:
        result.embedding.check()
    return result


def decode_unfused(value: bytes) -> Unfused:
    """Decode a value of `unfused`. Raises `ContractError("bad_result")`."""
    return decode_value(_UNFUSED, value)


def encode_map(value: Any) -> bytes:
    """Encode a struct as a MessagePack map."""
    return _ENCODER.encode(value)


def decode_value(decoder: msgspec.msgpack.Decoder[_T], value: bytes) -> _T:
    """Decode a value of a result topic. Raises `ContractError("bad_result")`."""
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContractError("bad_result", str(error)) from error
