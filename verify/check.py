"""Checks a history, partition number by partition number, and the producers' acknowledged sends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from streams.join.items import (
    ClosedDecision,
    DeadLetterDecision,
    FailedDecision,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)
from streams.join.lane_clock import NEVER_MS
from streams.join.settings import JoinSettings
from syncline.send_log import Send
from syncline.wire.contract import DECISIONS, H_ID, H_SOURCE, MAX_EVENT_BYTES
from verify.attribution import Decided
from verify.conversions import ConversionChecks
from verify.history import CommitSample, History, MediaRecord, PartitionHistory
from verify.log import FoldedLog, LoggedDecision, fold
from verify.open_items import Lanes, OpenStream
from verify.outcomes import Endings
from verify.partition_facts import Facts
from verify.record_facts import Fact, RecordJudge
from verify.replay import StreamReplay
from verify.report import Report, Violation
from verify.results import Results
from verify.single_record_checks import Alone

BY_OTHERS = "of partitions with some by other settings, not made anew"


def check(
    history: History,
    settings: JoinSettings,
    *,
    finished: bool = True,
    max_event_bytes: int = MAX_EVENT_BYTES,
    convert: Collection[str] = (),
    convert_streams: Sequence[str] = (),
) -> Report:
    """Check a whole history.

    If claims show that settings changed, and a partition's log has decisions under other settings, the join's decisions
    there are not checked, since they depend on both; the report's `BY_OTHERS` counts them. Settings that no worker had
    are taken as given, and give violations.

    Args:
        history (History): what `read_history` returned.
        settings (JoinSettings): the workers' join settings.
        finished (bool): True: every record sent must have its outcome. False: the system runs, and records may be
            pending unless their offset is committed. Default True.
        max_event_bytes (int): the workers' setting, bytes. Default 1,000,000.
        convert (Collection[str]): kinds of conversions that the workers make. Default: none.
        convert_streams (Sequence[str]): patterns of the streams that they convert. Default: all.

    Raises:
        NewerVersionError: a newer Syncline wrote the decision log.
    """
    report = Report()
    sends = _by_partition(history.sends, report)
    judge = RecordJudge(settings, history.n_partitions, max_event_bytes)
    logs = [fold(partition.log, partition.span(DECISIONS).start) for partition in history.partitions]
    changed = any(placed.fingerprint == judge.fingerprint for folded in logs for placed in folded.valid)
    for partition, folded in zip(history.partitions, logs, strict=True):
        by_others = changed and any(one.fingerprint not in ("", judge.fingerprint) for one in folded.valid)
        facts, results = _check_partition(
            partition, folded, history.commits, judge, report, finished=finished, by_others=by_others
        )
        conversions = ConversionChecks(partition, facts, settings, convert, convert_streams, report)
        conversions.judge(results.converted, history.commits, finished=finished)
        judge_sends(partition, sends.get(partition.partition, ()), report)
    return report


def _by_partition(sends: Sequence[Send], report: Report) -> Mapping[int, list[Send]]:
    by_partition: dict[int, list[Send]] = defaultdict(list)
    for send in sends:
        if send.outcome == "ok":
            by_partition[send.partition].append(send)
        else:
            report.count("sends", send.outcome)
    return by_partition


def _check_partition(
    history: PartitionHistory,
    folded: FoldedLog,
    commits: Sequence[CommitSample],
    judge: RecordJudge,
    report: Report,
    *,
    finished: bool,
    by_others: bool,
) -> tuple[Facts, Results]:
    settings = judge.settings
    facts = Facts(history, folded, judge)
    decided = Decided(folded)
    for topic, span in history.spans.items():
        report.count("deleted by retention", topic, span.start)
    _count(folded, report)
    if by_others:
        report.count("decisions", BY_OTHERS, len(folded.valid))
    else:
        _judge_decisions(history.partition, folded, facts, decided, settings, report)
    results = Results(history, facts, decided, judge, report)
    results.judge()
    endings = Endings(history, facts, results.carried, commits, None if by_others else settings, report)
    endings.judge(finished=finished)
    return facts, results


def _judge_decisions(
    partition: int, folded: FoldedLog, facts: Facts, decided: Decided, settings: JoinSettings, report: Report
) -> None:
    lanes = Lanes(facts, settings)
    alone = Alone(facts, {places: found.placed for places, found in decided.sets.items()}, report, partition)
    by_stream: dict[str, list[LoggedDecision]] = defaultdict(list)
    for placed in folded.valid:
        decision = placed.decision
        if isinstance(decision, SetDecision):
            by_stream[decision.stream].append(placed)
        elif isinstance(decision, UnfusedDecision | ClosedDecision):
            by_stream[decision.item.stream].append(placed)
        elif isinstance(decision, DeadLetterDecision):
            alone.dead_letter(placed, decision)
        elif isinstance(decision, RunDecision):
            for fact, single in alone.run(placed, decision):
                by_stream[fact.item.stream if fact.item else ""].append(single)
        else:
            alone.failed(placed, decision)
    of_stream: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts.by_place.values():
        if fact.item is not None and fact.item.stream in by_stream:
            of_stream[fact.item.stream].append(fact)
    for name, decisions in by_stream.items():
        stream = OpenStream(name, of_stream[name], lanes, settings)
        stream.raise_bound(folded.bounds.get(name, NEVER_MS), 0)
        StreamReplay(stream, facts, report, partition).run(decisions)


def _count(folded: FoldedLog, report: Report) -> None:
    for placed in folded.valid:
        decision = placed.decision
        if isinstance(decision, SetDecision):
            report.count("decisions", f"set, {decision.outcome} by {decision.reason}")
        elif isinstance(decision, UnfusedDecision):
            report.count("decisions", f"unfused, {decision.reason}")
        elif isinstance(decision, DeadLetterDecision):
            report.count("decisions", f"dead letter, {decision.reason}")
        elif isinstance(decision, RunDecision):
            n_records = decision.last_offset - decision.first_offset + 1
            kind = "unfused" if decision.outcome == "unfused" else "dead letter"
            report.count("decisions", f"{kind}, {decision.reason}", n_records)
        elif isinstance(decision, FailedDecision):
            report.count("decisions", f"set failed, {decision.reason}")
        else:
            report.count("decisions", "shared item closed")
    report.count("log", "claims", folded.n_claims)
    report.count("log", "parts of snapshots", folded.n_snapshot_parts)
    report.count("log", "void batches", folded.n_void_batches)
    report.count("log", "copies of an entry", folded.n_copies)
    report.count("log", "entries of somebody else", folded.n_foreign)
    report.count("log", "decisions before the first sure claim", len(folded.unsure))


def judge_sends(history: PartitionHistory, sends: Iterable[Send], report: Report) -> None:
    """Check one partition number's acknowledged sends: each must be where the broker said, or deleted since."""
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
