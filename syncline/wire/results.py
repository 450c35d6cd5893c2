"""What the service writes: fused results and unfused records. Conversions: `syncline.converted`, dead letters:
`syncline.wire.deadletters`.

Values are MessagePack maps (any MessagePack library reads them), headers are CloudEvents, ids are deterministic
(`syncline.wire.ids`): a repeat after a crash has the id of the first. Fields are only ever added, with a default.
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
    """A record ready to send: unprefixed topic, key, value and headers."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


class MemberOrigin(msgspec.Struct, frozen=True, gc=False):
    """One event of a fused set and where its record is."""

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
    """`words`: of a text, each with its part of speech or "".

    `retries`: how many times the event was sent again after it had been a dead letter.
    """

    words: tuple[tuple[str, str], ...] = ()
    retries: int = 0


class ModelInfo(msgspec.Struct, frozen=True):
    """Which model answered."""

    name: str
    version: str


class FusedSet(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which set a fused result is of, and why it was decided: the same wherever the id is the same.

    `start_ms`, `end_ms`: ms since 1970, what the members cover together (`tumbling`: the window). `missing`: the
    lanes waited for in vain.
    """

    id: str
    stream: str
    start_ms: int
    end_ms: int
    outcome: Outcome
    reason: SetReason
    missing: tuple[str, ...]


class FusedResult(FusedSet, frozen=True, kw_only=True):
    """What all sources of one stream say about one moment.

    `labels`: (label, score in [0, 1]), best first. `embedding`: float32 (n_embedding,).
    `cut`: what is not here because the topic does not take so much: the members' `words`, then the `embedding`.
    The same id means the same members, missing, outcome and reason; scores agree within 1e-3.
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
    """An event that is in no set, and why. Its payload stays in its topic at (partition, offset)."""

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
    """CloudEvents headers of a record that the service writes; `time_ms` in ms since 1970.

    Without a stream (a dead letter) there is neither `ce_subject` nor `content-type`.
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
    """A fused result as the record to send to `results.fused`; the trace of the member it is to continue."""
    headers = result_headers(result.id, c.FUSED_TYPE, result.stream, result.start_ms, traceparent, tracestate)
    return OutgoingRecord(c.FUSED, result.stream.encode(), _ENCODER.encode(result), headers)


def check_version(headers: Iterable[tuple[str, bytes | None]]) -> None:
    """Raise `NewerVersionError` where the headers of a result say that it is of a version that is not known here."""
    kind = next(((value or b"").decode(errors="replace") for name, value in headers if name == c.H_TYPE), "")
    found = _VERSIONED.fullmatch(kind)
    if found is not None and int(found[1]) > c.VERSION:
        raise NewerVersionError(f"a result is of type {kind}, and this client knows version {c.VERSION}: upgrade it")


def decode_fused(value: bytes) -> FusedResult:
    """A value of `results.fused`; raises `ContractError("bad_result")`. `embedding` keeps `value` alive."""
    result = decode_value(_FUSED, value)
    if result.embedding is not None:
        result.embedding.check()
    return result


def decode_unfused(value: bytes) -> Unfused:
    """A value of `unfused`; raises `ContractError("bad_result")`."""
    return decode_value(_UNFUSED, value)


def encode_map(value: Any) -> bytes:
    """One of this module's structs as a MessagePack map."""
    return _ENCODER.encode(value)


def decode_value(decoder: msgspec.msgpack.Decoder[_T], value: bytes) -> _T:
    """A value of a result topic; raises `ContractError("bad_result")`."""
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContractError("bad_result", str(error)) from error
