"""Records outside a set: dead letters (with the original bytes) and unfused events (without).

Both have headers for the reason and the origin. The original record's headers are prefixed with `orig.`, so that they
cannot be mistaken for the record's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from syncline.errors import ContractError
from syncline.wire import contract as c
from syncline.wire.events import Headers, why_unreadable
from syncline.wire.ids import record_id
from syncline.wire.results import OutgoingRecord, Unfused, encode_map, result_headers
from syncline.wire.timestamps import MAX_TIME_MS, MIN_TIME_MS, parse_time_ms


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be used, and why.

    Attributes:
        id (str): `topic/partition/offset` of the original.
        reason (str): a key of `syncline.wire.contract.REASONS`, or one of `processors.limits.REASONS`.
        detail (str): what is wrong, for people.
        topic (str): the original's topic without prefix.
        partition (int): the original's partition.
        offset (int): the original's offset.
        key (bytes | None): the original's key.
        data (bytes | None): the original's value; None if it was null or is cut.
        headers (tuple[tuple[str, bytes], ...]): the original's headers, up to 16 KiB. Default: none.
        set_id (str): the set that failed. Default: the record was in no set.
        cut (tuple[str, ...]): which of `key`, `value`, `headers` are missing or incomplete. Default: none.
        timestamp_ms (int): the original record's timestamp, ms since 1970. Default 0.
    """

    id: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    data: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    set_id: str = ""
    cut: tuple[str, ...] = ()
    timestamp_ms: int = 0


def encode_dead_letter(
    *, reason: str, detail: str, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None,
    headers: Headers | None, timestamp_ms: int, set_id: str = "",
) -> OutgoingRecord:  # fmt: skip
    """Encode a record as a dead letter, to be sent to the partition of the original.

    timestamp_ms: the original's, ms since 1970, or -1. A null value becomes an empty one with `ce_originnull`; the
    header `ce_origincut` names the parts that are left out.
    """
    time_ms = min(max(timestamp_ms, MIN_TIME_MS), MAX_TIME_MS)
    own = result_headers(record_id(topic, partition, offset), c.DEADLETTER_TYPE, "", time_ms)
    # Not the original's content type, which may be what is wrong with it.
    own.append((c.H_CONTENT_TYPE, c.BYTES_TYPE.encode()))
    own += origin_headers(reason, topic, partition, offset)
    own.append((c.H_DETAIL, detail[: c.MAX_DETAIL].encode(errors="replace")))
    if set_id:
        own.append((c.H_SET_ID, set_id.encode()))
    if why_unreadable(headers) is not None:
        return OutgoingRecord(c.DEADLETTER, None, b"", [*own, _cut("key", "value", "headers")])
    if value is None:
        own.append((c.H_ORIGIN_NULL, b"true"))
    return OutgoingRecord(c.DEADLETTER, key, value or b"", own + original_headers(headers))


def shrink_dead_letter(record: OutgoingRecord) -> OutgoingRecord | None:
    """Drop a dead letter's value, else its key; None if both are gone.

    For one too large for its topic: with compression, the original may be larger than the topic's limit.
    """
    if record.value:
        return OutgoingRecord(record.topic, record.key, b"", _also_cut(record.headers, "value"))
    if record.key:
        return OutgoingRecord(record.topic, None, b"", _also_cut(record.headers, "key"))
    return None


def without_original_headers(record: OutgoingRecord) -> OutgoingRecord | None:
    """Drop the original's headers from a dead letter or unfused event; None if it has none."""
    own = [(name, data) for name, data in record.headers if not name.startswith(c.ORIGINAL)]
    return record._replace(headers=_also_cut(own, "headers")) if len(own) < len(record.headers) else None


def _also_cut(headers: Sequence[tuple[str, bytes]], what: str) -> list[tuple[str, bytes]]:
    cut = dict(headers).get(c.H_ORIGIN_CUT, b"").decode()
    gone = {what, *filter(None, cut.split(","))}
    return [*((name, data) for name, data in headers if name != c.H_ORIGIN_CUT), _cut(*gone)]


def encode_unfused(
    unfused: Unfused, headers: Headers | None, traceparent: str = "", tracestate: str = ""
) -> OutgoingRecord:
    """Encode an unfused event as a record of `unfused`; `headers` are the original's."""
    own = result_headers(unfused.id, c.UNFUSED_TYPE, unfused.stream, unfused.time_ms, traceparent, tracestate)
    own += origin_headers(unfused.reason, unfused.topic, unfused.partition, unfused.offset)
    if unfused.late_by_ms:
        own.append((c.H_LATE_BY_MS, str(unfused.late_by_ms).encode()))
    return OutgoingRecord(c.UNFUSED, unfused.stream.encode(), encode_map(unfused), own + original_headers(headers))


def origin_headers(reason: str, topic: str, partition: int, offset: int) -> list[tuple[str, bytes]]:
    """Make the headers with the reason and the original's place."""
    return [
        (c.H_REASON, reason.encode()),
        (c.H_ORIGIN_TOPIC, topic.encode()),
        (c.H_ORIGIN_PARTITION, str(partition).encode()),
        (c.H_ORIGIN_OFFSET, str(offset).encode()),
    ]


def original_headers(headers: Headers | None) -> list[tuple[str, bytes]]:
    """Prefix the original's headers with `orig.` and keep the first 16 KiB of names and values.

    The first header that does not fit is cut, later ones are dropped, and `ce_origincut` in front says so.
    """
    room = c.MAX_ORIGINAL_HEADER_BYTES
    kept: list[tuple[str, bytes]] = []
    for name, data in headers or ():
        room -= len(c.ORIGINAL) + len(name.encode())
        if room < 0:
            return [_cut("headers"), *kept]
        kept.append((c.ORIGINAL + name, (data or b"")[:room]))
        room -= len(data or b"")
        if room < 0:
            return [_cut("headers"), *kept]
    return kept


def _cut(*what: str) -> tuple[str, bytes]:
    return c.H_ORIGIN_CUT, ",".join(sorted(what)).encode()


def decode_dead_letter(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> DeadLetter:
    """Decode a record of `deadletter`. Raises `ContractError("bad_result")`."""
    found = dict(headers)
    try:
        cut = tuple(filter(None, found.get(c.H_ORIGIN_CUT, b"").decode().split(",")))
        return DeadLetter(
            id=found[c.H_ID].decode(),
            reason=found[c.H_REASON].decode(),
            detail=found[c.H_DETAIL].decode(errors="replace"),
            topic=found[c.H_ORIGIN_TOPIC].decode(),
            partition=int(found[c.H_ORIGIN_PARTITION]),
            offset=int(found[c.H_ORIGIN_OFFSET]),
            key=key,
            data=None if c.H_ORIGIN_NULL in found or "value" in cut else value or b"",
            headers=tuple((name[len(c.ORIGINAL) :], data) for name, data in headers if name.startswith(c.ORIGINAL)),
            set_id=found.get(c.H_SET_ID, b"").decode(),
            cut=cut,
            timestamp_ms=parse_time_ms(found[c.H_TIME].decode()),
        )
    except (KeyError, ValueError, AttributeError, ContractError) as error:  # absent, no number, null, no time
        raise ContractError("bad_result", f"no dead letter: {error!r}") from error
