"""A history in which the brute-force oracle has decided, as if it were a worker: a second opinion for the checker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from streams.decisions.entries import Batch, Claim, encode_entry
from streams.join.items import ClosedDecision, DeadLetterDecision, Decision, Item, SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings
from syncline.wire.contract import CONTENT_TYPES, DECISIONS
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.ids import id_hash
from tests.support.histories import SOURCE, UNDECODABLE
from tests.support.logs import LogRecord, Logs
from tests.support.oracle import Oracle, OracleSet, Verdicts, key
from verify import History, OffsetSpan, PartitionHistory
from verify.history import LogEntry, MediaRecord


def as_contract(logs: Logs) -> Logs:
    """The same logs with ids that headers can say."""
    return {
        topic: [
            LogRecord(
                msgspec.structs.replace(record.item, id_hash=id_hash(SOURCE, str(record.item.id_hash))),
                record.decodable,
            )
            for record in records
        ]
        for topic, records in logs.items()
    }


def history_of(logs: Logs, settings: JoinSettings) -> History:
    """The logs as records, and the oracle's verdicts on them as a decision log; nothing is published."""
    contract = as_contract(logs)
    return history_with(logs, list(_decisions(contract, Oracle(contract, settings).verdicts(), settings)))


def history_with(logs: Logs, decisions: Sequence[Decision]) -> History:
    """The logs as records, and these decisions on them, which speak of `as_contract(logs)`; nothing is published."""
    log = [LogEntry(0, 0, encode_entry(Claim("oracle", 1, 0, 0)))]
    log += [LogEntry(n + 1, 0, encode_entry(Batch(0, n + 1, [one]))) for n, one in enumerate(decisions)]
    media = {topic: [_record(topic, record) for record in records] for topic, records in logs.items()}
    spans = {topic: OffsetSpan(0, len(records)) for topic, records in media.items()}
    spans[DECISIONS] = OffsetSpan(0, len(log))
    return History(n_partitions=1, partitions=[PartitionHistory(partition=0, media=media, log=log, spans=spans)])


def _record(topic: str, record: LogRecord) -> MediaRecord:
    item, modality = record.item, topic.removeprefix("media.")
    event = MediaEvent(
        stream=item.stream, modality=modality, source=SOURCE, id=str(item.id_hash), time_ms=item.time_ms,
        content_type=CONTENT_TYPES[modality][0], lane=item.lane, duration_ms=item.end_ms - item.time_ms,
    )  # fmt: skip
    return MediaRecord(item.offset, item.append_ms, item.stream.encode(), tuple(build_headers(event)), 10)


def _decisions(logs: Logs, verdicts: Verdicts, settings: JoinSettings) -> Iterator[Decision]:
    """Dead letters and what its own lane ends, then each stream's sets in order, then what no set took."""
    items = {key(record.item): record.item for records in logs.values() for record in records}
    late_by = _late_by(logs, settings)
    for records in logs.values():
        for item, decodable in records:
            reason: Any = verdicts.singles.get(key(item))
            if not decodable:
                expected = reason != "unexpected" and key(item) not in late_by.get("unexpected", {})
                yield DeadLetterDecision(item.topic, item.offset, UNDECODABLE, item if expected else None)
            elif reason in ("late", "duplicate", "unexpected"):
                yield UnfusedDecision(item, reason, late_by["late"].get(key(item), 0) if reason == "late" else 0)
    for sets in verdicts.sets.values():
        yield from (_set(found, items, settings) for found in sets)
    for place, reason in verdicts.singles.items():
        if reason == "unmatched":
            yield UnfusedDecision(items[place], "unmatched")
        elif reason == "closed":
            yield ClosedDecision(items[place])


def _late_by(logs: Logs, settings: JoinSettings) -> dict[str, dict[tuple[str, int], int]]:
    """By how much each record lies below the highest time before it in its lane; and which are of no lane."""
    below: dict[tuple[str, int], int] = {}
    strays: dict[tuple[str, int], int] = {}
    newest: dict[tuple[str, str], int] = {}
    for records in logs.values():
        for item, _ in records:
            waited_for = [(lane.name, f"media.{lane.modality}") for lane in settings.lanes_of(item.stream)]
            if (item.lane, item.topic) not in waited_for:
                strays[key(item)] = 0
                continue
            lane = item.stream, item.lane
            limit_ms = newest.get(lane, item.time_ms) - settings.out_of_order_ms.get(item.lane, 0)
            below[key(item)] = limit_ms - item.time_ms
            newest[lane] = max(item.time_ms, newest.get(lane, item.time_ms))
    return {"late": below, "unexpected": strays}


def _set(found: OracleSet, items: dict[tuple[str, int], Item], settings: JoinSettings) -> SetDecision:
    members = tuple(items[place] for place in found.members)
    shares = settings.strategy == "nearest" and settings.share
    still_open = tuple(n for n, item in enumerate(members) if shares and item.lane != settings.pivot)
    why: Any = ("partial", "watermark") if found.missing else ("complete", "complete")
    return SetDecision(
        found.stream, settings.strategy, *why, found.start_ms, members, found.missing, 0, still_open
    )  # fmt: skip
