"""A small history as lines that a person can follow: records, log, results, commits, sends, each in order."""

from __future__ import annotations

from collections.abc import Iterator

from streams.decisions.entries import Batch, Claim, LogRecord, decode_entry
from streams.decisions.view import LogView
from streams.verify.history import (
    CommitSample,
    Converted,
    Fused,
    History,
    MediaRecord,
    PartitionHistory,
    Published,
    Unreadable,
)
from streams.verify.words import in_words, say
from syncline.contract import H_ID, H_LANE, H_TIME
from syncline.timestamps import MAX_TIME_MS, MIN_TIME_MS, format_time


def show(history: History) -> list[str]:
    """The history, a line each; made for histories of a few records."""
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
            f"  {topic}@{record.offset}  {_result(record)}"
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
    view = LogView()
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
    what = record.kind if isinstance(record, Converted) else record.reason
    return f"{record.id}  {record.topic}@{record.origin_offset}  {what}"


def _commits(samples: list[CommitSample], partition: int) -> Iterator[str]:
    for sample in samples:
        committed = [f"{topic} {offset}" for (topic, number), offset in sample.committed.items() if number == partition]
        ends = [f"{topic} {end}" for (topic, number), end in sample.ends.items() if number == partition]
        yield f"commits: {say(committed)}; after them the results' ends: {say(ends)}"


def _text(data: bytes | None) -> str:
    text = "null" if data is None else data.decode(errors="replace")
    return printable(text)[:80]


def printable(text: str) -> str:
    """Text that does no harm to a terminal, whoever wrote it."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _time(time_ms: int) -> str:
    return format_time(time_ms) if MIN_TIME_MS <= time_ms <= MAX_TIME_MS else f"at {time_ms} ms"
