"""A stream's partition: murmur2(key) mod N, as in Java's client and aiokafka."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

from syncline.errors import ContractError

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_KNOWN_KEYS = 65_536
"""Cached placements: hashing a key of 16 bytes takes some microseconds, and streams recur."""


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 as an unsigned 32-bit integer (Java's `Utils.murmur2` is signed)."""
    n_words, n_rest = divmod(len(data), 4)
    h = _SEED ^ len(data)
    for word in struct.unpack_from(f"<{n_words}I", data):
        k = (word * _M) & _MASK
        k = ((k ^ (k >> 24)) * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    if n_rest:
        h = ((h ^ int.from_bytes(data[-n_rest:], "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=_KNOWN_KEYS)
def partition_for(key: bytes, n_partitions: int) -> int:
    """Return the partition, 0 to n_partitions - 1, of records with this key."""
    return (murmur2(key) & 0x7FFFFFFF) % n_partitions


def check_placement(key: bytes, partition: int, n_partitions: int, others: Iterable[int] = ()) -> None:
    """Raise `ContractError("misrouted")` unless a record with this key belongs in `partition`.

    others: earlier numbers of partitions, from before the topics grew; a record may have been placed by one of them.
    """
    expected = partition_for(key, n_partitions)
    if partition != expected and all(partition != partition_for(key, other) for other in others):
        raise ContractError(
            "misrouted",
            f"key {key.decode(errors='replace')!r} is in partition {partition} and belongs in {expected} of "
            f"{n_partitions}; set the producer's partitioner to murmur2 (librdkafka: partitioner=murmur2_random)",
        )
