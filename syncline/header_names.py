"""Let aiokafka read records whose header names are not UTF-8.

Kafka's brokers store such records, and aiokafka 0.14 raises UnicodeDecodeError for them, at every fetch anew: one such
record stops its partition for good. `tolerate_header_names` makes aiokafka's fetcher read the batch again with our
own parser, in which what is not UTF-8 becomes U+FFFD. Batches without such names go through aiokafka's as before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import aiokafka.consumer.fetcher as fetcher_module
from aiokafka.record import default_records

_LENGTH = struct.Struct(">i")
_LENGTH_AT = 8  # behind the base offset
_OVERHEAD_BYTES = 12  # base offset and length


def tolerate_header_names() -> None:
    """Install it, for every consumer of this process (Faust's too); once is enough, again does nothing."""
    module: Any = fetcher_module
    if not isinstance(module.MemoryRecords, _Reader):
        module.MemoryRecords = _Reader(module.MemoryRecords)


class _Reader:
    """Stands for the class MemoryRecords, which the fetcher calls with the bytes of a fetch."""

    def __init__(self, read: Any) -> None:
        self._read = read

    def __call__(self, data: bytes) -> _Records:
        return _Records(self._read(data), data)


class _Records:
    def __init__(self, records: Any, data: bytes) -> None:
        self._records, self._data, self._at = records, data, 0
        self.has_next = records.has_next
        self.size_in_bytes = records.size_in_bytes

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if batch is None:
            return None
        begin = self._at
        self._at += _OVERHEAD_BYTES + _LENGTH.unpack_from(self._data, begin + _LENGTH_AT)[0]
        return _Batch(batch, memoryview(self._data)[begin : self._at])


class _Batch:
    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # the fetcher looks into control batches this way

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except UnicodeDecodeError:
            # From its start: the fetcher skips the offsets that it has had.
            yield from _read_batch(self._data)


class _Record(NamedTuple):
    """What the fetcher takes from a record."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


def _read_batch(data: memoryview) -> Iterator[_Record]:
    # aiokafka's own class for the batch's header and compression; only the records are read here.
    batch: Any = default_records._DefaultRecordBatchPy(data)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    iter(batch)  # uncompresses
    cursor = _Cursor(bytes(batch._buffer), batch._pos)  # noqa: SLF001
    is_append_time = batch.timestamp_type == batch.LOG_APPEND_TIME
    for _ in range(batch._num_records):  # noqa: SLF001
        cursor.varint()  # length
        cursor.take(1)  # attributes
        timestamp = batch.first_timestamp + cursor.varint()
        offset = batch.base_offset + cursor.varint()
        key, value = cursor.nullable(), cursor.nullable()
        headers = [
            ((cursor.nullable() or b"").decode(errors="replace"), cursor.nullable()) for _ in range(cursor.varint())
        ]
        yield _Record(
            offset, batch.max_timestamp if is_append_time else timestamp, batch.timestamp_type, key, value, headers
        )


class _Cursor:
    """Reads the variable-length fields of Kafka's record format 2."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def take(self, n_bytes: int) -> bytes:
        self._at += n_bytes
        return self._data[self._at - n_bytes : self._at]

    def varint(self) -> int:
        shift = value = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)  # zigzag

    def nullable(self) -> bytes | None:
        n_bytes = self.varint()
        return None if n_bytes < 0 else self.take(n_bytes)
