"""An explanation in words, for people new to Syncline, and as a JSON object, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from processors.limits import IN_WORDS
from streams.join.items import (
    ClosedDecision,
    DeadLetterDecision,
    Decision,
    FailedDecision,
    Item,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)
from syncline.wire.contract import REASONS, UNFUSED_REASONS
from syncline.wire.timestamps import MAX_TIME_MS, MIN_TIME_MS, format_time
from verify.explain import Explanation, Naming, Publishing
from verify.history import Fused, MediaRecord, PublishedConversion, Single
from verify.record_facts import WITHHELD_IN_WORDS
from verify.wording import printable

_SET_REASONS = {
    "complete": "every lane had a member, and no earlier one could come",
    "watermark": "every lane's watermark had passed the moment, so nothing more could come for it",
    "timeout": "a lane was silent for max_wait_ms, so the set stopped waiting for it",
    "pressure": "more was held than the limits allow, so the oldest set was decided as it was",
}


def in_words(explanation: Explanation) -> list[str]:
    """Return the explanation in lines."""
    lines = [f"{explanation.topic}, partition {explanation.partition}, offset {explanation.offset}"]
    lines += [f"  {line}" for line in _record(explanation)]
    lines += ["decided", *(f"  {line}" for naming in explanation.namings for line in _naming(naming, explanation))]
    if not explanation.namings:
        lines.append(f"  {_undecided(explanation)}")
    lines += ["published", *(f"  {line}" for one in explanation.published for line in _published(one))]
    if not explanation.published:
        lines.append("  nothing in the result topics names it, as far as they reach back")
    return [printable(line) for line in (*lines, "committed", f"  {_committed(explanation)}")]


def _record(explanation: Explanation) -> Iterator[str]:
    record, event = explanation.record, explanation.event
    if record is None:
        yield "retention has deleted the record; the decision log still names it"
        return
    size = "a null value" if record.n_bytes is None else f"{record.n_bytes} bytes"
    key = "without a key" if record.key is None else f"key {record.key.decode(errors='replace')}"
    yield f"came at {_time(record.append_ms)} with {size}, {key}"
    if explanation.withheld:
        yield f"no worker reads it: {WITHHELD_IN_WORDS[explanation.withheld]}"
    if event is None:
        yield f"its headers are not those of an event: {explanation.wrong_headers}"
    else:
        lasts = f", for {event.duration_ms} ms" if event.duration_ms else ""
        yield f"stream {event.stream}, lane {event.lane}, event time {_time(event.time_ms)}{lasts}"
        yield f"id {event.id} of {event.source}, {event.content_type}"
    for name, value in record.headers:
        yield f"  {name}: {'null' if value is None else value[:200].decode(errors='replace')}"


def _naming(naming: Naming, explanation: Explanation) -> Iterator[str]:
    by = f" by worker {naming.worker}, generation {naming.generation}" if naming.worker else ""
    place = f"log offset {naming.log_offset}, written at {_time(naming.append_ms)}{by}"
    if naming.counts == "void":
        yield f"{place}: void, because another worker had claimed the log in between; it says"
    elif naming.counts == "unknown":
        yield f"{place}: unknown whether it counts, because the log before it was deleted; it says"
    else:
        yield f"{place}, valid"
    yield from (f"  {line}" for line in _decision(naming.decision, explanation))


def _decision(decision: Decision, explanation: Explanation) -> Iterator[str]:
    if isinstance(decision, SetDecision):
        missing = f", without {', '.join(decision.missing)}" if decision.missing else ""
        yield f"a {decision.outcome} set by strategy {decision.strategy}, from {_time(decision.start_ms)}{missing}"
        yield f"reason {decision.reason}: {_SET_REASONS[decision.reason]}"
        for item in decision.members:
            it = "  <- this record" if (item.topic, item.offset) == explanation.place else ""
            yield f"  {_item(item)}{it}"
    elif isinstance(decision, UnfusedDecision):
        by = f", by {decision.late_by_ms} ms" if decision.late_by_ms else ""
        yield f"in no set: {decision.reason}{by}: {reason_in_words(decision.reason)}"
    elif isinstance(decision, ClosedDecision):
        yield "in no further set: it was shared by the sets above"
    elif isinstance(decision, DeadLetterDecision | RunDecision):
        what = (
            "dead letter"
            if isinstance(decision, DeadLetterDecision) or decision.outcome == "deadletter"
            else "in no set"
        )
        yield f"{what}: {decision.reason}: {reason_in_words(decision.reason)}"
    else:
        yield f"the set could not be carried out: {decision.reason}: {reason_in_words(decision.reason)}"
        yield "its members become dead letters, unless its result was published before"


def reason_in_words(reason: str) -> str:
    """Describe a dead letter's or an unfused event's reason."""
    words: dict[str, str] = {**IN_WORDS, **REASONS, **UNFUSED_REASONS}
    return words.get(reason, "a reason that this version does not know").partition(" (late_by_ms")[0]


def _undecided(explanation: Explanation) -> str:
    if explanation.withheld == "aborted":
        return "not, and never: aborted records get no outcome"
    if explanation.withheld == "open":
        return "not yet: it is read, and decided, when that transaction is committed or aborted"
    if explanation.log_start > 0:
        return f"no decision in the log, which begins at {explanation.log_start}; an older one may be gone"
    return "not yet: no decision in the log names it; it waits for its moment, or no worker has read it"


def _published(one: Publishing) -> Iterator[str]:
    record = one.record
    again = f", again at {', '.join(map(str, one.again_at))} (a repeat with the same id)" if one.again_at else ""
    where = f"{one.topic} offset {one.offset}{again}"
    if isinstance(record, Fused):
        yield f"{where}: result {record.id}, {record.outcome}, {len(record.members)} members"
    elif isinstance(record, PublishedConversion):
        yield f"{where}: {record.kind} {record.id}"
    elif isinstance(record, Single):
        of_set = f", of the set {record.set_id} that failed" if record.set_id else ""
        yield f"{where}: {record.reason}{of_set}: {reason_in_words(record.reason)}"
        if one.detail:
            yield f"  {one.detail}"


def _committed(explanation: Explanation) -> str:
    if not explanation.group:
        return "no group was given"
    if explanation.committed is None:
        return f"group {explanation.group} has committed nothing of this partition"
    passed = "past" if explanation.committed > explanation.offset else "not past"
    what = "will not be read again" if passed == "past" else "will be read again after a restart"
    return f"group {explanation.group} stands at {explanation.committed}, {passed} this record: it {what}"


def _item(item: Item) -> str:
    return f"{item.lane:<12} {_time(item.time_ms)}  {item.topic}@{item.offset}"


def _time(time_ms: int) -> str:
    return format_time(time_ms) if MIN_TIME_MS <= time_ms <= MAX_TIME_MS else f"{time_ms} ms"


def as_dict(explanation: Explanation) -> dict[str, Any]:
    """Return a JSON object. Times are ms since 1970; headers and keys are text, with U+FFFD for what is not UTF-8."""
    committed = explanation.committed
    return {
        "topic": explanation.topic,
        "partition": explanation.partition,
        "offset": explanation.offset,
        "record": None if explanation.record is None else _record_as_dict(explanation.record),
        "withheld": explanation.withheld,
        "event": None if explanation.event is None else msgspec.to_builtins(explanation.event),
        "wrong_headers": explanation.wrong_headers,
        "decisions": [_naming_as_dict(naming) for naming in explanation.namings],
        "published": [_published_as_dict(one) for one in explanation.published],
        "group": explanation.group,
        "committed": committed,
        "is_committed": None if committed is None else committed > explanation.offset,
        "log_start": explanation.log_start,
    }


def _record_as_dict(record: MediaRecord) -> dict[str, Any]:
    headers = [[name, None if value is None else value.decode(errors="replace")] for name, value in record.headers]
    key = None if record.key is None else record.key.decode(errors="replace")
    return {"append_ms": record.append_ms, "key": key, "n_bytes": record.n_bytes, "headers": headers}


def _naming_as_dict(naming: Naming) -> dict[str, Any]:
    place = {name: getattr(naming, name) for name in naming.__struct_fields__ if name != "decision"}
    return place | _decision_as_dict(naming.decision)


def _decision_as_dict(decision: Decision) -> dict[str, Any]:
    if isinstance(decision, SetDecision):
        return {
            "kind": "set",
            "stream": decision.stream,
            "outcome": decision.outcome,
            "reason": decision.reason,
            "start_ms": decision.start_ms,
            "members": [_item_as_dict(item) for item in decision.members],
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


def _item_as_dict(item: Item) -> dict[str, Any]:
    return {"lane": item.lane, "topic": item.topic, "offset": item.offset, "time_ms": item.time_ms}


def _published_as_dict(one: Publishing) -> dict[str, Any]:
    record = one.record
    said: dict[str, Any] = {"topic": one.topic, "offset": one.offset, "again_at": one.again_at}
    if isinstance(record, Fused):
        return said | {"id": record.id, "outcome": record.outcome, "reason": record.reason}
    if isinstance(record, PublishedConversion):
        return said | {"id": record.id, "kind": record.kind}
    if isinstance(record, Single):
        return said | {"id": record.id, "reason": record.reason, "detail": one.detail, "set_id": record.set_id}
    return said
