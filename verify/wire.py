"""From Kafka records to the plain data of a history."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from streams.decisions.entries import HEADER
from syncline.errors import ContractError
from syncline.wire import contract as c
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.results import Outcome, SetReason, check_version, decode_unfused
from verify.history import Fused, FusedMember, Headers, LogEntry, MediaRecord, Published, PublishedConversion, Single
from verify.history import Unreadable as UnreadableRecord


class _FusedValue(msgspec.Struct, gc=False):
    """A value of `results.fused` without what a model said."""

    id: str
    stream: str
    start_ms: int
    end_ms: int
    outcome: Outcome
    reason: SetReason
    missing: tuple[str, ...]
    members: tuple[FusedMember, ...]


class _ConvertedValue(msgspec.Struct, gc=False):
    """A value of `converted.*` without what a model said."""

    id: str
    stream: str
    lane: str
    source: str
    event_id: str
    topic: str
    partition: int
    offset: int
    time_ms: int
    kind: Literal["caption", "transcript", "speech"]
    set_id: str = ""


_FUSED = msgspec.msgpack.Decoder(_FusedValue)
_CONVERTED = msgspec.msgpack.Decoder(_ConvertedValue)
_OF_EACH_EVENT = frozenset({c.H_ID, c.H_TIME, c.H_TRACEPARENT, c.H_TRACESTATE})


class MediaReader:
    """Makes media records; headers that recur are kept once, so that a million records fit into memory."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes | None], tuple[str, bytes | None]] = {}
        self._keys: dict[bytes | None, bytes | None] = {}

    def read(self, raw: Any) -> MediaRecord:
        """One of aiokafka's records of a media topic."""
        n_bytes = None if raw.value is None else len(raw.value)
        key: bytes | None = raw.key
        headers = tuple([self._once(pair) for pair in raw.headers])
        return MediaRecord(raw.offset, raw.timestamp, self._keys.setdefault(key, key), headers, n_bytes)

    def _once(self, pair: tuple[str, bytes | None]) -> tuple[str, bytes | None]:
        # A name of another type than text is a mark of ours that equals a text, and means something else.
        if pair[0] in _OF_EACH_EVENT or type(pair[0]) is not str or len(self._known) > 100_000:
            return pair
        return self._known.setdefault(pair, pair)


def read_entry(raw: Any) -> LogEntry:
    """One of aiokafka's records of the decision log."""
    version = next((value or b"" for name, value in raw.headers if name == HEADER), None)
    return LogEntry(raw.offset, raw.timestamp, raw.value or b"", version)


def read_published(topic: str, raw: Any) -> Published:
    """One of aiokafka's records of a result topic (unprefixed); raises `NewerVersionError`."""
    headers: Headers = raw.headers
    check_version(raw.headers)
    try:
        if topic == c.FUSED:
            return _fused(raw)
        if topic == c.UNFUSED:
            return _unfused(raw)
        if topic == c.DEADLETTER:
            letter = decode_dead_letter(raw.key, raw.value, raw.headers)
            return Single(
                raw.offset, letter.id, letter.topic, letter.partition, letter.offset, letter.reason, 0, letter.set_id
            )
        return _converted(raw)
    except (ContractError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return UnreadableRecord(raw.offset, f"{error} ({len(headers)} headers, {len(raw.value or b'')} bytes)")


def _fused(raw: Any) -> Fused:
    value = _FUSED.decode(raw.value or b"")
    return Fused(
        raw.offset, value.id, value.stream, value.start_ms, value.end_ms, value.outcome, value.reason, value.missing,
        value.members,
    )  # fmt: skip


def _unfused(raw: Any) -> Single:
    said = decode_unfused(raw.value or b"")
    return Single(raw.offset, said.id, said.topic, said.partition, said.offset, said.reason, said.late_by_ms)


def _converted(raw: Any) -> PublishedConversion:
    value = _CONVERTED.decode(raw.value or b"")
    return PublishedConversion(
        raw.offset, value.id, value.stream, value.lane, value.source, value.event_id, value.topic, value.partition,
        value.offset, value.time_ms, value.kind, value.set_id,
    )  # fmt: skip
