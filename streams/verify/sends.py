"""What producers were told, held against what is there."""

from __future__ import annotations

from collections.abc import Iterable

from streams.verify.history import MediaRecord, PartitionHistory
from streams.verify.report import Report, Violation
from syncline.contract import H_ID, H_SOURCE
from syncline.send_log import Send


def judge_sends(history: PartitionHistory, sends: Iterable[Send], report: Report) -> None:
    """Judge the acknowledged sends of one partition number: each must be where the broker said, or be deleted since."""
    records = {(topic, record.offset): record for topic, of_topic in history.media.items() for record in of_topic}
    aborted = {(topic, record.offset): record for topic, of_topic in history.aborted.items() for record in of_topic}
    unstable = {(topic, record.offset): record for topic, of_topic in history.unstable.items() for record in of_topic}
    for send in sends:
        record = records.get((send.topic, send.offset))
        waiting = unstable.get((send.topic, send.offset))
        if waiting is not None and _is_of(send, waiting):
            report.count("sends", "ok, and there, behind an open transaction")
            continue
        if record is None and send.offset < history.span(send.topic).start:
            report.count("sends", "ok, deleted by retention since")
            continue
        if record is not None and _is_of(send, record):
            report.count("sends", "ok, and there")
            continue
        found = "nothing is there" if record is None else f"{_say(record)} is there"
        if (send.topic, send.offset) in aborted:
            found = "its transaction was aborted"
        report.add(
            Violation(
                kind="lost write",
                sentence=f"{send.topic}@{send.offset}: {send.id} of {send.source} was acknowledged, and {found}",
                partition=history.partition,
                stream=send.stream,
                records=((send.topic, send.offset),),
            )
        )


def _is_of(send: Send, record: MediaRecord) -> bool:
    headers = dict(record.headers)
    return headers.get(H_ID) == send.id.encode() and headers.get(H_SOURCE) == send.source.encode()


def _say(record: MediaRecord) -> str:
    headers = dict(record.headers)
    return f"{headers.get(H_ID)!r} of {headers.get(H_SOURCE)!r}"
