"""A history in units that can be left out: records that are named together, with everything that names them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from streams.decisions.entries import Batch, Claim, LogRecord, decode_entry, encode_entry
from streams.decisions.naming import keys_of
from streams.join.model import Decision, FailedDecision, RunDecision
from streams.verify.history import Fused, LogEntry, MediaRecord, PartitionHistory, Published, Unreadable
from streams.verify.report import Place

Unit = tuple[Place, ...]


def places_in(decision: Decision) -> list[Place]:
    """The records that a decision names, those of a failed set too."""
    return list(decision.members) if isinstance(decision, FailedDecision) else keys_of(decision)


def places_of_result(record: Published) -> list[Place]:
    """The records that something published names."""
    if isinstance(record, Fused):
        return [(member.topic, member.offset) for member in record.members]
    return [] if isinstance(record, Unreadable) else [(record.topic, record.origin_offset)]


def units_of(history: PartitionHistory) -> list[Unit]:
    """The units of a history, in the order in which the log first speaks of them; last those that it never does."""
    parent: dict[Place, Place] = {}

    def root(place: Place) -> Place:
        while (above := parent.setdefault(place, place)) != place:
            parent[place] = place = parent.setdefault(above, above)
        return place

    for together in _named_together(history):
        for place in together:
            parent[root(place)] = root(together[0])
    for by_topic in (history.media, history.aborted, history.unstable):
        for topic, records in by_topic.items():
            for record in records:
                root((topic, record.offset))
    members: dict[Place, list[Place]] = defaultdict(list)
    for place in parent:
        members[root(place)].append(place)
    return [tuple(unit) for unit in members.values()]


def _named_together(history: PartitionHistory) -> Iterator[list[Place]]:
    for _, batch in _batches(history.log):
        for decision in batch.decisions:
            places = places_in(decision)
            yield from ([place] for place in places) if isinstance(decision, RunDecision) else [places]
    for records in history.published.values():
        yield from (places_of_result(record) for record in records)


def _batches(log: Iterable[LogEntry]) -> Iterator[tuple[LogEntry, Batch]]:
    for entry in log:
        said = decode_entry(LogRecord(entry.offset, entry.data, entry.version))
        if isinstance(said, Batch):
            yield entry, said


def only(
    history: PartitionHistory,
    kept: Collection[Place],
    results: Collection[Place] = (),
    keeps_claim: Callable[[int], bool] = lambda _: True,
) -> PartitionHistory:
    """The same history with these records alone, and what names them; everything keeps its offset.

    results: what is published and names no record, but is to stay. keeps_claim: by log offset. Snapshots go.
    """
    log: list[LogEntry] = []
    for entry in history.log:
        said = decode_entry(LogRecord(entry.offset, entry.data, entry.version))
        if isinstance(said, Claim) and keeps_claim(entry.offset):
            log.append(entry)
        elif isinstance(said, Batch):
            decisions = [part for decision in said.decisions for part in _kept_of(decision, kept)]
            if decisions:
                data = encode_entry(msgspec.structs.replace(said, decisions=decisions))
                log.append(msgspec.structs.replace(entry, data=data))
    return PartitionHistory(
        partition=history.partition,
        media=_of_places(history.media, kept),
        aborted=_of_places(history.aborted, kept),
        unstable=_of_places(history.unstable, kept),
        log=log,
        published={
            topic: [record for record in records if _is_kept(topic, record, kept, results)]
            for topic, records in history.published.items()
        },
        spans=history.spans,
    )


def _of_places(by_topic: dict[str, list[MediaRecord]], kept: Collection[Place]) -> dict[str, list[MediaRecord]]:
    return {
        topic: [record for record in records if (topic, record.offset) in kept] for topic, records in by_topic.items()
    }


def _kept_of(decision: Decision, kept: Collection[Place]) -> list[Decision]:
    if isinstance(decision, RunDecision):
        return [
            RunDecision(topic, offset, offset, decision.outcome, decision.reason)
            for topic, offset in keys_of(decision)
            if (topic, offset) in kept
        ]
    return [decision] if any(place in kept for place in places_in(decision)) else []


def _is_kept(topic: str, record: Published, kept: Collection[Place], results: Collection[Place]) -> bool:
    places = places_of_result(record)
    return any(place in kept for place in places) if places else (topic, record.offset) in results
