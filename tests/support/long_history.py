"""A long history without faults, made directly: triples of several streams, all complete, decided and published."""

from __future__ import annotations

import msgspec

from streams.decisions.entries import Batch, Claim, encode_entry
from streams.join.items import Item, SetDecision
from streams.join.settings import JoinSettings
from syncline.wire.contract import CONTENT_TYPES, DECISIONS, FUSED, MEDIA_TOPICS, MODALITIES, RESULT_TOPICS
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.ids import id_hash, result_id
from syncline.wire.placement import partition_for
from tests.support.histories import fused_member
from verify import History, OffsetSpan, PartitionHistory
from verify.history import Fused, FusedMember, LogEntry, MediaRecord

START_MS = 1_700_000_000_000
PERIOD_MS = 200
BATCH_DECISIONS = 200
CLAIM_EVERY = 3
"""Batches between two claims of the one worker that there was."""


def settings_of_long() -> JoinSettings:
    """The settings by which it was decided."""
    return JoinSettings()


def long_history(*, n_moments: int, n_streams: int, n_partitions: int = 1, torn_at: int | None = None) -> History:
    """A history of `n_moments` triples; the text of number `torn_at` is exchanged with the next one's of its stream."""
    partitions = [_empty(number) for number in range(n_partitions)]
    decided: list[list[SetDecision]] = [[] for _ in partitions]
    for moment in range(n_moments):
        stream = f"stream-{moment % n_streams}"
        number = partition_for(stream.encode(), n_partitions)
        decided[number].append(_moment(partitions[number], stream, moment, n_streams))
    if torn_at is not None:
        number = partition_for(f"stream-{torn_at % n_streams}".encode(), n_partitions)
        _tear(decided[number], torn_at // n_partitions)
    for partition, decisions in zip(partitions, decided, strict=True):
        _decide(partition, decisions)
    return History(n_partitions=n_partitions, partitions=partitions)


def _empty(number: int) -> PartitionHistory:
    return PartitionHistory(
        partition=number,
        media={topic: [] for topic in MEDIA_TOPICS},
        published={topic: [] for topic in RESULT_TOPICS},
    )


def _moment(partition: PartitionHistory, stream: str, moment: int, n_streams: int) -> SetDecision:
    time_ms = START_MS + moment // n_streams * PERIOD_MS
    items: list[Item] = []
    for modality in MODALITIES:
        topic = f"media.{modality}"
        event = MediaEvent(stream=stream, modality=modality, source="urn:long", id=str(moment), time_ms=time_ms,
                           content_type=CONTENT_TYPES[modality][0])  # fmt: skip
        records = partition.media[topic]
        append_ms, headers = time_ms + 5, tuple(build_headers(event))
        items.append(
            Item(stream, modality, topic, len(records), time_ms, time_ms, id_hash(event.source, event.id), append_ms)
        )
        records.append(MediaRecord(len(records), append_ms, stream.encode(), headers, 100))
    return SetDecision(stream, "earliest", "complete", "complete", time_ms, tuple(items))


def _tear(decisions: list[SetDecision], at: int) -> None:
    one = decisions[at]
    after = next(n for n in range(at + 1, len(decisions)) if decisions[n].stream == one.stream)
    two = decisions[after]
    decisions[at] = msgspec.structs.replace(one, members=(one.members[0], two.members[1], one.members[2]))
    decisions[after] = msgspec.structs.replace(two, members=(two.members[0], one.members[1], two.members[2]))


def _decide(partition: PartitionHistory, decisions: list[SetDecision]) -> None:
    claim_at = 0
    for start in range(0, len(decisions), BATCH_DECISIONS):
        part = decisions[start : start + BATCH_DECISIONS]
        now_ms = part[-1].members[0].append_ms
        if start // BATCH_DECISIONS % CLAIM_EVERY == 0:
            claim_at = len(partition.log)
            partition.log.append(LogEntry(claim_at, now_ms, encode_entry(Claim("long", 1, 0, claim_at))))
        offset = len(partition.log)
        partition.log.append(LogEntry(offset, now_ms, encode_entry(Batch(claim_at, offset, [*part]))))
    for decision in decisions:
        partition.published[FUSED].append(_fused(partition, decision, len(partition.published[FUSED])))
    ends = {topic: len(records) for topic, records in (partition.media | partition.published).items()}
    partition.spans = {topic: OffsetSpan(0, end) for topic, end in (ends | {DECISIONS: len(partition.log)}).items()}


def _fused(partition: PartitionHistory, decision: SetDecision, offset: int) -> Fused:
    members: list[FusedMember] = []
    for item in decision.members:
        event_id = (dict(partition.media[item.topic][item.offset].headers)["ce_id"] or b"").decode()
        members.append(fused_member(item, "urn:long", event_id, partition.partition))
    parts = [(member.lane, member.time_ms, member.source, member.event_id) for member in members]
    start_ms, end_ms = min(m.time_ms for m in members), max(item.end_ms for item in decision.members)
    name = result_id(decision.stream, decision.strategy, parts)
    return Fused(
        at=offset, id=name, stream=decision.stream, start_ms=start_ms, end_ms=end_ms, outcome=decision.outcome,
        reason=decision.reason, missing=decision.missing, members=tuple(members),
    )  # fmt: skip
