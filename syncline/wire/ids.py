"""Ids that depend on nothing but what they name, so that a repeat has the id of the first.

Every id is BLAKE2b over parts, each as UTF-8 behind its length (4 bytes, big-endian): no two lists of parts
give the same bytes. The first part names the kind and the contract's version. Integers are parts in decimal.
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
    """Hash of (source, id), by which the join knows duplicates: 63 bits, so that any int64 holds it.

    A retry of an event that was a dead letter is no duplicate of it, a second copy of the same retry is.
    """
    parts = (source, event_id, str(retries)) if retries else (source, event_id)
    digest = blake2b(_join(parts), digest_size=8).digest()
    return int.from_bytes(digest, "big") & _ITEM_MASK


def result_id(stream: str, strategy: str, members: Iterable[tuple[str, int, str, str]]) -> str:
    """Id of a fused result, 32 hex digits.

    members: (lane, time_ms, source, id) each, in any order. The time is in it because a producer that was
    started anew may count its ids from 1 again; the model is not, so that another model's answer replaces it.
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
    """Id of a conversion (`kind` is `caption`, `transcript` or `speech`) of one event, 32 hex digits.

    alone: topic (unprefixed), partition and offset of the record of an event that is in no set: one that is sent again
    and comes too late is converted again, and is another. The set that an event is in has no part in it: a shared event
    is converted once.
    """
    parts = [_CONVERTED, stream, lane, str(time_ms), source, event_id, kind]
    if alone is not None:
        parts += map(str, alone)
    return blake2b(_join(parts), digest_size=16).hexdigest()


def record_id(topic: str, partition: int, offset: int) -> str:
    """Id of what became of one record: its unprefixed topic, partition and offset, readable."""
    return f"{topic}/{partition}/{offset}"
