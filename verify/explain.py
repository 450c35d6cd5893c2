"""Explains one record: its decisions, what was published of it, and whether it is committed.

Reads the record, and its partition number's decision log and result topics from their start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from streams.decisions.entries import Batch, Claim, LogRecord, decode_entry
from streams.join.items import Decision
from syncline.errors import BrokerError, ContractError, SettingsError, TopicError
from syncline.kafka.cluster import Cluster
from syncline.kafka.topic_reader import OffsetSpan, TopicReader
from syncline.wire.contract import DEADLETTER, DECISIONS, H_DETAIL, MEDIA_TOPICS, RESULT_TOPICS
from syncline.wire.events import MediaEvent, parse_headers
from verify.history import LogEntry, MediaRecord, Published
from verify.log import fold
from verify.record_facts import Withheld
from verify.report import Place
from verify.shrink import places_in, places_of_result
from verify.wire import MediaReader, read_entry, read_published

Counts = Literal["valid", "void", "unknown"]
"""Whether a decision counts; unknown if retention has deleted the claim that would tell."""


class Naming(msgspec.Struct, kw_only=True):
    """A decision that names the record: its place in the log and its writer, if known."""

    log_offset: int
    append_ms: int
    claim_offset: int
    worker: str
    generation: int
    counts: Counts
    decision: Decision


class Publishing(msgspec.Struct, kw_only=True):
    """Something published of the record: the first place, repeats, and a dead letter's detail."""

    topic: str
    offset: int
    again_at: list[int]
    detail: str
    record: Published


class Explanation(msgspec.Struct, kw_only=True):
    """All that the topics say of one record.

    `record` is None if retention has deleted it; `event` is None if its headers are wrong (`wrong_headers` says how).
    `withheld` is "aborted" or "open" if no worker reads it because of its transaction. `committed` is the next offset
    that `group` reads of this topic partition, None without a commit. `log_start` is the log's first offset; above 0,
    decisions may be gone.
    """

    topic: str
    partition: int
    offset: int
    record: MediaRecord | None
    withheld: Withheld
    event: MediaEvent | None
    wrong_headers: str
    namings: list[Naming]
    published: list[Publishing]
    group: str
    committed: int | None
    log_start: int

    @property
    def place(self) -> Place:
        """The record's place in its partition number."""
        return self.topic, self.offset


async def explain(
    cluster: Cluster, *, topic: str, partition: int, offset: int, topic_prefix: str, group: str = ""
) -> Explanation:
    """Explain the record at `offset` of a media topic, named with or without prefix.

    Raises `SettingsError` if it is not a media topic, `TopicError` if there is no such partition, and `BrokerError` if
    there is no such record.
    """
    name = topic.removeprefix(topic_prefix)
    if name not in MEDIA_TOPICS:
        raise SettingsError("TOPIC", topic, f"{', '.join(MEDIA_TOPICS)}, with or without the prefix {topic_prefix!r}")
    async with TopicReader(cluster, topic_prefix) as reader:
        if not 0 <= partition < reader.n_partitions:
            raise TopicError(f"{topic} has {reader.n_partitions} partitions, counted from 0; there is no {partition}")
        committed = (await reader.committed(group)).get((name, partition)) if group else None
        spans = {place[0]: span for place, span in (await reader.spans(
            (name, DECISIONS, *RESULT_TOPICS))).items() if place[1] == partition}  # fmt: skip
        record = await _record(reader, name, partition, offset, spans[name])
        withheld = "" if record is None else await _withheld(cluster, topic_prefix, name, partition, offset)
        namings = await _namings(reader, partition, spans[DECISIONS], (name, offset))
        if record is None and not namings:
            raise BrokerError(_not_there(topic, partition, offset, spans[name]))
        published = await _published(reader, partition, spans, (name, offset))
    event, wrong = _event(name, record)
    return Explanation(
        topic=name, partition=partition, offset=offset, record=record, withheld=withheld, event=event,
        wrong_headers=wrong, namings=namings, published=published, group=group, committed=committed,
        log_start=spans[DECISIONS].start,
    )  # fmt: skip


def _not_there(topic: str, partition: int, offset: int, span: OffsetSpan) -> str:
    if offset < span.start:
        why = f"retention has deleted what was below {span.start}, and the decision log does not name it"
    elif offset >= span.end:
        why = f"it ends at {span.end}"
    else:
        why = "the offset is empty or a transaction marker"
    return f"{topic} partition {partition} has no record at offset {offset}: {why}"


async def _record(reader: TopicReader, topic: str, partition: int, offset: int, span: OffsetSpan) -> MediaRecord | None:
    if not span.start <= offset < span.end:
        return None
    # Up to the end: an offset without a record is only passed with the next record.
    async for _, raws in reader.read(topic, {partition: OffsetSpan(offset, span.end)}):
        return MediaReader().read(raws[0]) if raws[0].offset == offset else None
    return None


async def _withheld(cluster: Cluster, prefix: str, topic: str, partition: int, offset: int) -> Withheld:
    """Tell whether workers, which read committed, can see an existing record."""
    async with TopicReader(cluster, prefix, [topic], committed=True) as reader:
        end = (await reader.ends([topic]))[topic, partition]
        if offset >= end:
            return "open"
        return "" if await _record(reader, topic, partition, offset, OffsetSpan(offset, end)) is not None else "aborted"


def _event(topic: str, record: MediaRecord | None) -> tuple[MediaEvent | None, str]:
    if record is None:
        return None, ""
    try:
        return parse_headers(topic, record.key, record.headers, record.append_ms), ""
    except ContractError as error:
        return None, str(error)


async def _namings(reader: TopicReader, partition: int, span: OffsetSpan, place: Place) -> list[Naming]:
    """Return the decisions that name the record, and failures of its sets, in log order."""
    log = [read_entry(raw) async for _, raws in reader.read(DECISIONS, {partition: span}) for raw in raws]
    folded = fold(log, span.start)
    by_counts: list[tuple[Counts, list[tuple[int, Decision]]]] = [
        ("valid", [(placed.offset, placed.decision) for placed in folded.valid]),
        ("void", [(placed.offset, placed.decision) for placed in folded.void]),
        ("unknown", [(placed.offset, placed.decision) for placed in folded.unsure]),
    ]
    found = [
        _naming(log, offset, counts, decision)
        for counts, decisions in by_counts
        for offset, decision in decisions
        if place in places_in(decision)
    ]
    return sorted(found, key=lambda naming: naming.log_offset)


def _naming(log: Sequence[LogEntry], offset: int, counts: Counts, decision: Decision) -> Naming:
    entries = {entry.offset: entry for entry in log}
    entry = entries[offset]
    batch = decode_entry(LogRecord(entry.offset, entry.data, entry.version))
    claim_offset = batch.claim if isinstance(batch, Batch) else -1
    claimed = entries.get(claim_offset)
    claim = decode_entry(LogRecord(claimed.offset, claimed.data, claimed.version)) if claimed is not None else None
    known = isinstance(claim, Claim)
    return Naming(
        log_offset=offset, append_ms=entry.append_ms, claim_offset=claim_offset, counts=counts, decision=decision,
        worker=claim.worker if known else "", generation=claim.generation if known else -1,
    )  # fmt: skip


async def _published(
    reader: TopicReader, partition: int, spans: dict[str, OffsetSpan], place: Place
) -> list[Publishing]:
    """Return what was published of the record, repeats together with their first."""
    found: dict[tuple[str, bytes], Publishing] = {}
    for topic in RESULT_TOPICS:
        async for _, raws in reader.read(topic, {partition: spans[topic]}):
            for raw in raws:
                record = read_published(topic, raw)
                if place not in places_of_result(record):
                    continue
                key = topic, msgspec.msgpack.encode(msgspec.structs.replace(record, at=0))
                if key in found:
                    found[key].again_at.append(record.at)
                    continue
                detail = (
                    (dict(raw.headers).get(H_DETAIL) or b"").decode(errors="replace") if topic == DEADLETTER else ""
                )
                found[key] = Publishing(topic=topic, offset=raw.offset, again_at=[], detail=detail, record=record)
    return list(found.values())
