"""An explanation as one JSON object, for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.join.items import (
    ClosedDecision,
    DeadLetterDecision,
    Decision,
    FailedDecision,
    Item,
    SetDecision,
    UnfusedDecision,
)
from verify.explain import Explanation, Naming, Publishing
from verify.history import Fused, MediaRecord, PublishedConversion, Single


def as_dict(explanation: Explanation) -> dict[str, Any]:
    """Times are ms since 1970; header values and keys are text, what is not UTF-8 becomes U+FFFD."""
    committed = explanation.committed
    return {
        "topic": explanation.topic,
        "partition": explanation.partition,
        "offset": explanation.offset,
        "record": None if explanation.record is None else _record(explanation.record),
        "withheld": explanation.withheld,
        "event": None if explanation.event is None else msgspec.to_builtins(explanation.event),
        "wrong_headers": explanation.wrong_headers,
        "decisions": [_naming(naming) for naming in explanation.namings],
        "published": [_published(one) for one in explanation.published],
        "group": explanation.group,
        "committed": committed,
        "is_committed": None if committed is None else committed > explanation.offset,
        "log_start": explanation.log_start,
    }


def _record(record: MediaRecord) -> dict[str, Any]:
    headers = [[name, None if value is None else value.decode(errors="replace")] for name, value in record.headers]
    key = None if record.key is None else record.key.decode(errors="replace")
    return {"append_ms": record.append_ms, "key": key, "n_bytes": record.n_bytes, "headers": headers}


def _naming(naming: Naming) -> dict[str, Any]:
    place = {name: getattr(naming, name) for name in naming.__struct_fields__ if name != "decision"}
    return place | _decision(naming.decision)


def _decision(decision: Decision) -> dict[str, Any]:
    if isinstance(decision, SetDecision):
        return {
            "kind": "set",
            "stream": decision.stream,
            "outcome": decision.outcome,
            "reason": decision.reason,
            "start_ms": decision.start_ms,
            "members": [_item(item) for item in decision.members],
            "missing": list(decision.missing),
        }
    if isinstance(decision, UnfusedDecision):
        return {"kind": "unfused", "reason": decision.reason, "late_by_ms": decision.late_by_ms}
    if isinstance(decision, ClosedDecision):
        return {"kind": "closed"}
    if isinstance(decision, DeadLetterDecision):
        return {"kind": "deadletter", "reason": decision.reason}
    if isinstance(decision, FailedDecision):
        lost = [list(place) for place in decision.lost]
        return {"kind": "failed", "reason": decision.reason, "lost": lost}
    return {"kind": decision.outcome, "reason": decision.reason}


def _item(item: Item) -> dict[str, Any]:
    return {"lane": item.lane, "topic": item.topic, "offset": item.offset, "time_ms": item.time_ms}


def _published(one: Publishing) -> dict[str, Any]:
    record = one.record
    said: dict[str, Any] = {"topic": one.topic, "offset": one.offset, "again_at": one.again_at}
    if isinstance(record, Fused):
        return said | {"id": record.id, "outcome": record.outcome, "reason": record.reason}
    if isinstance(record, PublishedConversion):
        return said | {"id": record.id, "kind": record.kind}
    if isinstance(record, Single):
        return said | {"id": record.id, "reason": record.reason, "detail": one.detail, "set_id": record.set_id}
    return said
