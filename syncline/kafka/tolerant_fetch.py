"""Makes aiokafka's consumers read on past broken records and batches, and limits what a batch may unpack to.

aiokafka's fetcher would stop at the first such batch. Here its records become unreadable records, with the reason in
their headers.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import aiokafka
from aiokafka import AIOKafkaConsumer
from aiokafka.record import default_records
from aiokafka.record.memory_records import MemoryRecords

from syncline.errors import SynclineError
from syncline.kafka.routines import require_parts
from syncline.wire.events import unreadable_headers

CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""By the lowest three bits of a batch's attributes; 0 is uncompressed."""
_FIRST_GUESS = 16
"""Factor of the first buffer's size over the compressed size."""
_NO_ROOM = "failed to write whole buffer"
_XERIAL = b"\x82SNAPPY\0"
"""The start of Java's snappy format: a header of 16 bytes, then blocks, each after its length."""


class UnpackError(SynclineError):
    """A batch cannot be decompressed."""


def unpack(codec: int, data: bytes, max_bytes: int) -> bytes:
    """Decompress; raise `UnpackError` if that fails or gives more than `max_bytes`, without making many more."""
    name = CODECS.get(codec)
    if name is None:
        raise UnpackError(f"compression {codec} is not one of Kafka's")
    return _gunzip(data, max_bytes) if name == "gzip" else _uncompress(name, data, max_bytes)


def _gunzip(data: bytes, max_bytes: int) -> bytes:
    """Decompress all members of a gzip file."""
    parts, room, rest = list[bytes](), max_bytes + 1, data
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(rest, room))
        except zlib.error as error:
            raise UnpackError(f"broken gzip: {error}") from error
        room -= len(parts[-1])
        if room <= 0:
            raise UnpackError(f"{len(data)} compressed bytes hold more than {max_bytes}")
        if not member.eof:
            raise UnpackError("broken gzip: cut short")
        rest = member.unused_data
    return b"".join(parts)


def _uncompress(name: str, data: bytes, max_bytes: int) -> bytes:
    """Decompress snappy, lz4 or zstd with cramjam, as aiokafka does."""
    try:
        library: Any = importlib.import_module("cramjam")
    except ModuleNotFoundError as error:
        raise UnpackError(f"compressed with {name}, which needs a library here: pip install cramjam") from error
    try:
        if name == "snappy":
            return _unsnap(library.snappy, data, max_bytes)
        return _into(getattr(library, name), data, max_bytes)
    except (library.DecompressionError, struct.error) as error:
        raise UnpackError(f"broken {name}: {error}") from error


def _into(codec: Any, data: bytes, max_bytes: int) -> bytes:
    """Decompress into a buffer of our size, since the format does not tell the size."""
    sizes = sorted({min(_FIRST_GUESS * len(data), max_bytes), max_bytes})
    for size in sizes:
        buffer = bytearray(size)
        try:
            return bytes(memoryview(buffer)[: codec.decompress_into(data, buffer)])
        except Exception as error:
            if _NO_ROOM not in str(error):
                raise
    raise UnpackError(f"{len(data)} compressed bytes hold more than {max_bytes}")


def _unsnap(codec: Any, data: bytes, max_bytes: int) -> bytes:
    """Decompress one snappy block, or Java's blocks; each tells its size."""
    blocks = list(_xerial_blocks(data)) if data.startswith(_XERIAL) else [data]
    if sum(codec.decompress_raw_len(block) for block in blocks) > max_bytes:
        raise UnpackError(f"{len(data)} compressed bytes hold more than {max_bytes}")
    return b"".join(bytes(codec.decompress_raw(block)) for block in blocks)


def _xerial_blocks(data: bytes) -> Iterator[bytes]:
    at = len(_XERIAL) + 8  # version and compatible version
    while at < len(data):
        (n_bytes,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 4 + n_bytes]
        at += 4 + n_bytes


MAX_UNPACKED_BYTES = 32 * 2**20
"""A batch that unpacks to more is unreadable. Normal batches have a megabyte; one is unpacked for each partition."""
_LENGTH = struct.Struct(">i")
_ATTRIBUTES = struct.Struct(">h")
_LENGTH_AT, _MAGIC_AT, _ATTRIBUTES_AT, _RECORDS_AT = 8, 16, 21, 61  # from the batch's start
_OVERHEAD_BYTES = 12  # base offset and length
_CODEC_MASK = 0x07
_MAX_RECORDS = 1_000_000
"""Limit of the record count that an unreadable batch may claim."""


def read_any_batch(consumer: Any, max_unpacked_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """Make one consumer of aiokafka or Faust, before it is started, read broken batches; change no other consumer."""
    # By its class, because `start` makes the fetcher and may fetch before it returns.
    consumer.__class__ = _AnyBatchConsumer
    consumer.any_batch_reader = _Reader(MemoryRecords, max_unpacked_bytes)


class _AnyBatchConsumer(AIOKafkaConsumer):
    """A consumer whose fetcher reads through `any_batch_reader` from the start."""

    any_batch_reader: _Reader

    @property
    def _fetcher(self) -> Any:
        return self.__dict__["_fetcher"]

    @_fetcher.setter
    def _fetcher(self, fetcher: Any) -> None:
        self.__dict__["_fetcher"] = fetcher
        if fetcher is None:
            return
        # Copy the function that parses fetched bytes, with our reader as its global `MemoryRecords`.
        require_parts(fetcher, "_proc_fetch_request")
        theirs = fetcher._proc_fetch_request.__func__  # noqa: SLF001
        if "MemoryRecords" not in theirs.__code__.co_names:
            why = "Fetcher._proc_fetch_request no longer reads by MemoryRecords, which Syncline relies on"
            raise SynclineError(f"aiokafka {aiokafka.__version__}: {why}")
        ours = FunctionType(theirs.__code__, theirs.__globals__ | {"MemoryRecords": self.any_batch_reader})
        fetcher._proc_fetch_request = MethodType(ours, fetcher)  # noqa: SLF001


class _Reader:
    """Replaces the class MemoryRecords, which the fetcher calls with fetched bytes."""

    def __init__(self, read: Any, max_unpacked_bytes: int) -> None:
        self._read, self._max_unpacked_bytes = read, max_unpacked_bytes

    def __call__(self, data: bytes) -> _Records:
        return _Records(self._read(data), data, self._max_unpacked_bytes)


class _Records:
    def __init__(self, records: Any, data: bytes, max_unpacked_bytes: int) -> None:
        self._records, self._data, self._at = records, data, 0
        self._max_unpacked_bytes = max_unpacked_bytes
        self.has_next = records.has_next
        self.size_in_bytes = records.size_in_bytes

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if batch is None:
            return None
        begin = self._at
        self._at += _OVERHEAD_BYTES + _LENGTH.unpack_from(self._data, begin + _LENGTH_AT)[0]
        return _Batch(batch, memoryview(self._data)[begin : self._at], self._max_unpacked_bytes)


class _Batch:
    def __init__(self, batch: Any, data: memoryview, max_unpacked_bytes: int) -> None:
        self._batch, self._data, self._max_unpacked_bytes = batch, data, max_unpacked_bytes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # the fetcher reads control batches this way

    def __iter__(self) -> Iterator[Any]:
        # Every attempt begins at the batch's start: the fetcher skips offsets that it already has.
        if self._data[_MAGIC_AT] < 2:
            yield from self._batch
            return
        try:
            yield from self._read()
        except UnpackError as error:
            yield from self._unreadable(str(error))
        except Exception as error:  # aiokafka's parser raises half a dozen kinds
            yield from self._unreadable(f"broken records: {type(error).__name__}: {error}")

    def _read(self) -> Iterator[Any]:
        batch, data = self._batch, self._data
        if codec := batch.attributes & _CODEC_MASK:
            data = memoryview(_plain(data, unpack(codec, bytes(data[_RECORDS_AT:]), self._max_unpacked_bytes)))
            batch = default_records.DefaultRecordBatch(data)
        try:
            yield from batch
        except UnicodeDecodeError:
            yield from _read_batch(data)

    def _unreadable(self, why: str) -> Iterator[_Record]:
        batch = self._batch
        n_records = batch.next_offset - batch.base_offset
        if not 0 < n_records <= _MAX_RECORDS:
            n_records = 1
        headers = unreadable_headers(why)
        for offset in range(batch.base_offset, batch.base_offset + n_records):
            yield _Record(offset, batch.max_timestamp, batch.timestamp_type, None, None, headers)


def _plain(data: memoryview, records: bytes) -> bytes:
    """Rewrite a compressed batch as an uncompressed one: length and attributes change, the checksum stays."""
    head = bytearray(data[:_RECORDS_AT])
    _LENGTH.pack_into(head, _LENGTH_AT, _RECORDS_AT - _OVERHEAD_BYTES + len(records))
    attributes: int = _ATTRIBUTES.unpack_from(head, _ATTRIBUTES_AT)[0]
    _ATTRIBUTES.pack_into(head, _ATTRIBUTES_AT, attributes & ~_CODEC_MASK)
    return bytes(head) + records


class _Record(NamedTuple):
    """The fields of a record that the fetcher uses."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


def _read_batch(data: memoryview) -> Iterator[_Record]:
    """Read an uncompressed batch with names of headers that are not UTF-8. Raises IndexError or ValueError."""
    # aiokafka's own class reads the batch's header.
    batch: Any = default_records._DefaultRecordBatchPy(data)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    cursor = _Cursor(bytes(data), _RECORDS_AT)
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
    """Reads variable-length fields of Kafka's record format 2."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at

    def take(self, n_bytes: int) -> bytes:
        self._at += n_bytes
        if self._at > len(self._data):
            raise ValueError(f"{n_bytes} bytes are claimed, fewer are left")
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
