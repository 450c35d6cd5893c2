"""Records that end outside a set: dead letters (with the original bytes) and unfused events (without).

Both have, beside CloudEvents headers, the reason, the origin and the original record's headers, each under
`orig.` + its name: those of the original cannot be mistaken for the dead letter's own.
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

    `topic` (unprefixed), `partition`, `offset`: where the original is. `data`: its bytes, None where they were
    null. `headers`: its headers as far as 16 KiB go. `set_id`: of the set that failed, if it was in one.
    `cut`: what of `key`, `value`, `headers` is not here, or not all of it. `timestamp_ms`: the original record's own.
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
    """A record as its dead letter; `timestamp_ms` is the record's own (ms since 1970, or -1).

    Send it to the partition that the original was in. A null value becomes no bytes and a `ce_originnull`; what is
    not here of the original, `ce_origincut` says.
    """
    time_ms = min(max(timestamp_ms, MIN_TIME_MS), MAX_TIME_MS)
    own = result_headers(record_id(topic, partition, offset), c.DEADLETTER_TYPE, "", time_ms)
    # Always plain bytes: what the original says of itself may be the very lie it is here for.
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
    """A dead letter without its value, or without its key where that is gone already; None where both are.

    For one that its topic does not take: a producer that compresses may write records larger than the topic's limit.
    """
    if record.value:
        return OutgoingRecord(record.topic, record.key, b"", _also_cut(record.headers, "value"))
    if record.key:
        return OutgoingRecord(record.topic, None, b"", _also_cut(record.headers, "key"))
    return None


def without_original_headers(record: OutgoingRecord) -> OutgoingRecord | None:
    """A dead letter or unfused event without the original's headers; None where it has none."""
    own = [(name, data) for name, data in record.headers if not name.startswith(c.ORIGINAL)]
    return record._replace(headers=_also_cut(own, "headers")) if len(own) < len(record.headers) else None


def _also_cut(headers: Sequence[tuple[str, bytes]], what: str) -> list[tuple[str, bytes]]:
    cut = dict(headers).get(c.H_ORIGIN_CUT, b"").decode()
    gone = {what, *filter(None, cut.split(","))}
    return [*((name, data) for name, data in headers if name != c.H_ORIGIN_CUT), _cut(*gone)]


def encode_unfused(
    unfused: Unfused, headers: Headers | None, traceparent: str = "", tracestate: str = ""
) -> OutgoingRecord:
    """An event that is in no set as the record to send to `unfused`; `headers` are the original record's."""
    own = result_headers(unfused.id, c.UNFUSED_TYPE, unfused.stream, unfused.time_ms, traceparent, tracestate)
    own += origin_headers(unfused.reason, unfused.topic, unfused.partition, unfused.offset)
    if unfused.late_by_ms:
        own.append((c.H_LATE_BY_MS, str(unfused.late_by_ms).encode()))
    return OutgoingRecord(c.UNFUSED, unfused.stream.encode(), encode_map(unfused), own + original_headers(headers))


def origin_headers(reason: str, topic: str, partition: int, offset: int) -> list[tuple[str, bytes]]:
    """The headers that say why, and where the original record is."""
    return [
        (c.H_REASON, reason.encode()),
        (c.H_ORIGIN_TOPIC, topic.encode()),
        (c.H_ORIGIN_PARTITION, str(partition).encode()),
        (c.H_ORIGIN_OFFSET, str(offset).encode()),
    ]


def original_headers(headers: Headers | None) -> list[tuple[str, bytes]]:
    """The original's headers under `orig.`, whole ones in their order while 16 KiB of names and values last.

    The first that does not fit is cut to what is left, the rest is dropped, and `ce_origincut` in front says so.
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
    """A record of `deadletter`; raises `ContractError("bad_result")` where it is none."""
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
