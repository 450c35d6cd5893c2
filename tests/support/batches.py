"""Batches of records as they go over the wire, whole, packed and broken, for what clients like ours never send."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.record.util import calc_crc32c

Row = tuple[int, bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""Timestamp (ms), key, value, headers."""
HEAD_BYTES = 61
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4


class Name(str):
    """A header name that is not UTF-8 on the wire."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:  # type: ignore[override]
        return b"\xff\xfe"


def batch_of(rows: Sequence[Row], codec: int = 0, pack: Callable[[bytes], bytes] | None = None) -> bytes:
    """A batch; `pack` compresses its records, default gzip's own for gzip and nothing else."""
    builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, -1, 100_000_000)
    for offset, (timestamp, key, value, headers) in enumerate(rows):
        builder.append(offset, timestamp, key, value, headers)
    data = bytes(builder.build())
    if not codec:
        return data
    packed = (pack or gzip.compress)(data[HEAD_BYTES:])
    return resealed(data[:HEAD_BYTES] + packed, codec)


def resealed(data: bytes, codec: int = 0) -> bytes:
    """A batch whose records were changed, with the length, codec and checksum that it needs to be read."""
    sealed = bytearray(data)
    struct.pack_into(">i", sealed, 8, len(data) - 12)
    (attributes,) = struct.unpack_from(">h", data, 21)
    struct.pack_into(">h", sealed, 21, attributes & ~7 | codec)
    struct.pack_into(">I", sealed, 17, calc_crc32c(bytes(sealed[21:])))
    return bytes(sealed)


def zstd_frame(data: bytes) -> bytes:
    """A zstd frame of one raw block, made without the library; `data` of 256 to 65,791 bytes."""
    head = b"\x28\xb5\x2f\xfd\x60" + struct.pack("<H", len(data) - 256)
    return head + struct.pack("<I", len(data) << 3 | 1)[:3] + data


async def send_batch(brokers: str, topic: str, partition: int, data: bytes) -> int:
    """Send a batch as it stands; the offset that its first record got."""
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        batch = producer.create_batch()
        batch.append(key=b"k", value=b"v", timestamp=1)
        batch.close()
        batch._buffer = bytearray(data)
        metadata = await (await producer.send_batch(batch, topic, partition=partition))
    return metadata.offset
