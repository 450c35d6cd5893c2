"""Converts Kafka records to the plain data of a history."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.decisions.entries import HEADER
from syncline.errors import ContractError
from syncline.wire import contract as c
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.results import check_version, decode_unfused
from verify.history import Fused, LogEntry, MediaRecord, Published, PublishedConversion, Single, Unreadable

_FUSED = msgspec.msgpack.Decoder(Fused)
_CONVERTED = msgspec.msgpack.Decoder(PublishedConversion)
_OF_EACH_EVENT = frozenset({c.H_ID, c.H_TIME, c.H_TRACEPARENT, c.H_TRACESTATE})


class MediaReader:
    """Converts media records; recurring headers are stored once, so that a million records fit into memory."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes | None], tuple[str, bytes | None]] = {}
        self._keys: dict[bytes | None, bytes | None] = {}

    def read(self, raw: Any) -> MediaRecord:
        """Convert an aiokafka record of a media topic."""
        n_bytes = None if raw.value is None else len(raw.value)
        key: bytes | None = raw.key
        headers = tuple([self._once(pair) for pair in raw.headers])
        return MediaRecord(raw.offset, raw.timestamp, self._keys.setdefault(key, key), headers, n_bytes)

    def _once(self, pair: tuple[str, bytes | None]) -> tuple[str, bytes | None]:
        # A name of another type than str marks an unreadable record, though it equals a str.
        if pair[0] in _OF_EACH_EVENT or type(pair[0]) is not str or len(self._known) > 100_000:
            return pair
        return self._known.setdefault(pair, pair)


def read_entry(raw: Any) -> LogEntry:
    """Convert an aiokafka record of the decision log."""
    version = next((value or b"" for name, value in raw.headers if name == HEADER), None)
    return LogEntry(raw.offset, raw.timestamp, raw.value or b"", version)


def read_published(topic: str, raw: Any) -> Published:
    """Convert an aiokafka record of a result topic (named without prefix). Raises `NewerVersionError`."""
    check_version(raw.headers)
    value: bytes = raw.value or b""
    try:
        if topic == c.UNFUSED:
            said = decode_unfused(value)
            place = said.topic, said.partition, said.offset
            return Single(raw.offset, said.id, *place, said.reason, said.late_by_ms)
        if topic == c.DEADLETTER:
            said = decode_dead_letter(raw.key, raw.value, raw.headers)
            place = said.topic, said.partition, said.offset
            return Single(raw.offset, said.id, *place, said.reason, set_id=said.set_id)
        said = _FUSED.decode(value) if topic == c.FUSED else _CONVERTED.decode(value)
        return msgspec.structs.replace(said, at=raw.offset)
    except (ContractError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Unreadable(raw.offset, f"{error} ({len(raw.headers)} headers, {len(value)} bytes)")
