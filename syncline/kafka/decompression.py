"""Unpacks the compressed batches that Kafka clients write, up to a limit.

aiokafka's own functions unpack all there is: a batch of 1 MB may hold 1 GB of noughts.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from syncline.errors import SynclineError

CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""What the lowest three bits of a batch's attributes mean; 0 is none."""
_FIRST_GUESS = 16
"""How many times as much as was compressed is tried first."""
_NO_ROOM = "failed to write whole buffer"
_XERIAL = b"\x82SNAPPY\0"
"""How Java's snappy begins: a header of 16 bytes, then blocks, each behind its length."""


class UnpackError(SynclineError):
    """A batch cannot be unpacked; the message says why."""


def unpack(codec: int, data: bytes, max_bytes: int) -> bytes:
    """The bytes that were compressed. Raises `UnpackError`, for more than `max_bytes` too; never makes many more."""
    name = CODECS.get(codec)
    if name is None:
        raise UnpackError(f"compression {codec} is none of Kafka's")
    return _gunzip(data, max_bytes) if name == "gzip" else _uncompress(name, data, max_bytes)


def _gunzip(data: bytes, max_bytes: int) -> bytes:
    """All members of a gzip file, one after the other."""
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
    """snappy, lz4 and zstd, by the library that aiokafka would take."""
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
    """Into a buffer of ours, since nothing says beforehand how much there will be."""
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
    """One block, or Java's blocks; each says its size beforehand."""
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
