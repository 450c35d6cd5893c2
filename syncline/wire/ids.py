"""Deterministic ids: a repeat has the id of the first.

Every id is BLAKE2b over parts, each as UTF-8 after its length (4 bytes, big-endian), so that no two lists of parts
give the same bytes. The first part names the kind and the contract's version. Integers are written in decimal.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from syncline.wire.contract import VERSION

_FUSED = f"fused.v{VERSION}"
_CONVERTED = f"converted.v{VERSION}"
_ITEM_MASK = (1 << 63) - 1


def _join(parts: Iterable[str]) -> bytes:
    pieces: list[bytes] = []
    for part in parts:
        data = part.encode()
        pieces.append(len(data).to_bytes(4, "big"))
        pieces.append(data)
    return b"".join(pieces)


def id_hash(source: str, event_id: str, retries: int = 0) -> int:
    """Hash (source, id) to 63 bits, which fit an int64; the join finds duplicates by it.

    A retry of a dead letter is not a duplicate of the original; a second copy of the same retry is.
    """
    parts = (source, event_id, str(retries)) if retries else (source, event_id)
    digest = blake2b(_join(parts), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _ITEM_MASK


def result_id(stream: str, strategy: str, members: Iterable[tuple[str, int, str, str]]) -> str:
    """Return the id of a fused result, 32 hex digits.

    members: (lane, time_ms, source, id) each, in any order. The time is part of the id because a restarted producer
    may reuse event ids. The model is not, so that another model's answer replaces the first.
    """
    parts = [_FUSED, stream, strategy]
    for lane, time_ms, source, event_id in sorted(members):
        parts += (lane, str(time_ms), source, event_id)
    return blake2b(_join(parts), digest_size=16).hexdigest()


def conversion_id(
    stream: str,
    lane: str,
    time_ms: int,
    source: str,
    event_id: str,
    kind: str,
    alone: tuple[str, int, int] | None = None,
) -> str:
    """Return the id of one event's conversion, 32 hex digits.

    kind: `caption`, `transcript` or `speech`. alone: for an event in no set, its record's topic (without prefix),
    partition and offset: a late copy of an event is converted again, under another id. The set is not part of the
    id: an event in several sets is converted once.
    """
    parts = [_CONVERTED, stream, lane, str(time_ms), source, event_id, kind]
    if alone is not None:
        parts += map(str, alone)
    return blake2b(_join(parts), digest_size=16).hexdigest()


def record_id(topic: str, partition: int, offset: int) -> str:
    """Return the id of an unfused event or dead letter: its record's topic (without prefix), partition and offset."""
    return f"{topic}/{partition}/{offset}"
