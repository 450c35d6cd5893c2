"""Describes records, decisions and small histories in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from streams.decisions.entries import Batch, Claim, LogRecord, decode_entry
from streams.decisions.ownership import LogValidator
from streams.join.items import (
    ClosedDecision,
    DeadLetterDecision,
    Decision,
    Item,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)
from syncline.wire.contract import H_ID, H_LANE, H_TIME
from syncline.wire.timestamps import MAX_TIME_MS, MIN_TIME_MS, format_time
from verify.history import (
    CommitSample,
    Fused,
    History,
    MediaRecord,
    PartitionHistory,
    Published,
    PublishedConversion,
    Unreadable,
)
from verify.record_facts import Fact
from verify.report import Place

MAX_NAMED = 12


def say(things: Iterable[Place | str]) -> str:
    """Describe records as `media.image@12` and lanes by name; `nothing` if there are none."""
    words = [thing if isinstance(thing, str) else f"{thing[0]}@{thing[1]}" for thing in things]
    if len(words) > MAX_NAMED:
        words = [*words[:MAX_NAMED], f"and {len(words) - MAX_NAMED} more"]
    return ", ".join(words) or "nothing"


def places_of(items: Iterable[Item]) -> list[Place]:
    """Return the places of items' records."""
    return [(item.topic, item.offset) for item in items]


def in_words(decision: Decision) -> str:
    """Describe a decision: what, which records, and why."""
    if isinstance(decision, SetDecision):
        missing = f" without {say(decision.missing)}" if decision.missing else ""
        return f"set {say(places_of(decision.members))}{missing} by {decision.reason}"
    if isinstance(decision, UnfusedDecision):
        return f"{decision.reason} {say(places_of([decision.item]))}"
    if isinstance(decision, ClosedDecision):
        return f"closed {say(places_of([decision.item]))}"
    if isinstance(decision, DeadLetterDecision):
        return f"dead letter {decision.topic}@{decision.offset} ({decision.reason})"
    if isinstance(decision, RunDecision):
        return f"{decision.outcome} {decision.topic}@{decision.first_offset}-{decision.last_offset} ({decision.reason})"
    return f"failed set {say(decision.members)} ({decision.reason})"


def say_lane(facts: Sequence[Fact]) -> str:
    """Describe why the first record that cannot join is not in the join."""
    for fact in facts:
        if fact.joins or fact.item is None:
            continue
        item = fact.item
        where = f"{say([fact.place])} of lane {item.lane} at {item.time_ms}"
        if not fact.expected:
            return f"{where} is of no lane that the stream waits for"
        if fact.late:
            return f"{where} is late: the watermark was {fact.late_limit_ms}"
        return f"{where} is a duplicate" if fact.duplicate else f"{where} has another decision in the log"
    return ""


def show(history: History) -> list[str]:
    """Return a small history in lines."""
    lines: list[str] = []
    for partition in history.partitions:
        lines += [f"partition {partition.partition}: records"]
        marked = (("", partition.media), (", aborted", partition.aborted), (", not committed yet", partition.unstable))
        lines += [
            f"  {topic}@{record.offset}  {_record(record)}{mark}"
            for mark, by_topic in marked
            for topic, records in by_topic.items()
            for record in records
        ]
        lines += ["decision log", *(f"  {line}" for line in _log(partition))]
        lines += ["results"]
        lines += [
            f"  {topic}@{record.at}  {_result(record)}"
            for topic, records in partition.published.items()
            for record in records
        ]
        lines += _commits(history.commits, partition.partition)
    lines += ["sends"] * bool(history.sends)
    lines += [f"  {send.topic}@{send.offset}  {send.id} of {send.source}: {send.outcome}" for send in history.sends]
    return [printable(line) for line in lines]


def _record(record: MediaRecord) -> str:
    headers = dict(record.headers)
    said = [_text(headers[name]) for name in (H_LANE, H_TIME, H_ID) if name in headers]
    size = "null" if record.n_bytes is None else f"{record.n_bytes} bytes"
    key = "no key" if record.key is None else f"key {_text(record.key)}"
    return f"{key}  {'  '.join(said) or 'no headers of an event'}  {size}, appended {_time(record.append_ms)}"


def _log(partition: PartitionHistory) -> Iterator[str]:
    view = LogValidator()
    for entry in partition.log:
        said = decode_entry(LogRecord(entry.offset, entry.data, entry.version))
        verdict = view.apply(entry.offset, said)
        if isinstance(said, Claim):
            ignored = "" if verdict == "claim" else ", ignored"
            yield f"{entry.offset}  claim of {said.worker}, generation {said.generation}{ignored}"
        elif isinstance(said, Batch):
            void = "" if verdict == "valid" else ", void"
            for decision in said.decisions:
                yield f"{entry.offset}  under claim {said.claim}{void}: {in_words(decision)}"


def _result(record: Published) -> str:
    if isinstance(record, Fused):
        missing = f" without {say(record.missing)}" if record.missing else ""
        named = say((member.topic, member.offset) for member in record.members)
        return f"{record.id}  {record.stream}  {named}{missing}  {record.outcome} by {record.reason}"
    if isinstance(record, Unreadable):
        return record.error
    what = record.kind if isinstance(record, PublishedConversion) else record.reason
    return f"{record.id}  {record.topic}@{record.offset}  {what}"


def _commits(samples: list[CommitSample], partition: int) -> Iterator[str]:
    for sample in samples:
        committed = [f"{topic} {offset}" for (topic, number), offset in sample.committed.items() if number == partition]
        ends = [f"{topic} {end}" for (topic, number), end in sample.ends.items() if number == partition]
        yield f"commits: {say(committed)}; after them the results' ends: {say(ends)}"


def _text(data: bytes | None) -> str:
    text = "null" if data is None else data.decode(errors="replace")
    return printable(text)[:80]


def printable(text: str) -> str:
    """Escape what could harm a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _time(time_ms: int) -> str:
    return format_time(time_ms) if MIN_TIME_MS <= time_ms <= MAX_TIME_MS else f"at {time_ms} ms"
