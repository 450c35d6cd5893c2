"""Finds a smallest history that still shows a violation: by stream, by a window of the log, then by units of records
that are named together.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from streams.decisions.entries import Batch, Claim, LogRecord, decode_entry, encode_entry, keys_of
from streams.join.items import Decision, FailedDecision, RunDecision
from streams.join.settings import JoinSettings
from syncline.wire.contract import MAX_EVENT_BYTES
from verify.check import check
from verify.history import CommitSample, Fused, History, LogEntry, MediaRecord, PartitionHistory, Published, Unreadable
from verify.report import Place, Violation

Unit = tuple[Place, ...]


def places_in(decision: Decision) -> list[Place]:
    """Return the records that a decision names, those of a failed set too."""
    return list(decision.members) if isinstance(decision, FailedDecision) else keys_of(decision)


def places_of_result(record: Published) -> list[Place]:
    """Return the records that a published record names."""
    if isinstance(record, Fused):
        return [(member.topic, member.offset) for member in record.members]
    return [] if isinstance(record, Unreadable) else [(record.topic, record.offset)]


def units_of(history: PartitionHistory) -> list[Unit]:
    """Return the units of a history in the order in which the log first names them; unnamed ones last."""
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
    """Reduce a history to these records and what names them; all offsets stay.

    results: published records that name no record but stay. keeps_claim: by log offset. Snapshots are dropped.
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
    return any(place in kept for place in places) if places else (topic, record.at) in results


LIMIT_S = 20.0
"""Time limit; the smallest history found by then is returned."""
_FIRST_WINDOW = 4

Finding = tuple[str, str]
"""Kind and sentence. Sentences name offsets, which do not change when records are left out."""


def smallest(
    history: History,
    violation: Violation,
    settings: JoinSettings,
    *,
    finished: bool = True,
    max_event_bytes: int = MAX_EVENT_BYTES,
    convert: Collection[str] = (),
    convert_streams: Sequence[str] = (),
    limit_s: float = LIMIT_S,
) -> History:
    """Return a small part of the history in which `check` finds this violation and no new ones.

    violation: one of the report on `history`. The other arguments are those of `check`. Takes at most `limit_s` and one
    check.
    """

    def findings(part: History) -> set[Finding]:
        report = check(
            part,
            settings,
            finished=finished,
            max_event_bytes=max_event_bytes,
            convert=convert,
            convert_streams=convert_streams,
        )
        return {(found.kind, found.sentence) for found in report.violations}

    return _Shrinking(history, violation, findings, time.monotonic() + limit_s).run()


class _Shrinking:
    def __init__(
        self, history: History, violation: Violation, findings: Callable[[History], set[Finding]], deadline_s: float
    ) -> None:
        self._violation, self._findings, self._deadline_s = violation, findings, deadline_s
        self._wanted = violation.kind, violation.sentence
        self._base = _one_partition(history, violation)
        self._known = findings(self._base)

    def run(self) -> History:
        """Shrink as far as time allows."""
        if self._wanted not in self._known:
            return self._base  # one partition alone does not show it
        self._take_stream()
        units = units_of(self._base.partitions[0])
        target = [unit for unit in units if set(unit) & set(self._violation.records)]
        around = self._window(units, target)
        rest = self._fewest([unit for unit in around if unit not in target], target)
        self._base = self._part([*rest, *target])
        self._drop_claims()
        return self._base

    def _shows(self, part: History) -> bool:
        found = self._findings(part)
        return self._wanted in found and found <= self._known

    @property
    def _late(self) -> bool:
        return time.monotonic() > self._deadline_s

    def _part(self, units: Sequence[Unit]) -> History:
        kept = {place for unit in units for place in unit}
        return _with(self._base, only(self._base.partitions[0], kept, self._violation.results))

    def _take_stream(self) -> None:
        """Leave out the other streams, if the violation still shows."""
        stream = self._violation.stream.encode()
        if stream:
            partition = self._base.partitions[0]
            of_stream = {
                (topic, record.offset)
                for topic, records in partition.media.items()
                for record in records
                if record.key == stream
            } | set(self._violation.records)
            units = [unit for unit in units_of(partition) if of_stream & set(unit)]
            self._try(units)

    def _try(self, units: Sequence[Unit]) -> bool:
        part = self._part(units)
        if self._shows(part):
            self._base = part
            return True
        return False

    def _window(self, units: list[Unit], target: list[Unit]) -> list[Unit]:
        """Return the units around the violation's own, doubling a small window until it shows."""
        at = [index for index, unit in enumerate(units) if unit in target]
        width = _FIRST_WINDOW
        while at and width < len(units) and not self._late:
            window = units[max(0, at[0] - width) : at[-1] + width]
            if self._try(window):
                return window
            width *= 4
        return units

    def _fewest(self, units: list[Unit], target: list[Unit]) -> list[Unit]:
        """Leave out ever smaller chunks while the violation still shows (delta debugging)."""
        n_chunks = 1
        while units and not self._late:
            size = -(-len(units) // n_chunks)
            chunks = [units[start : start + size] for start in range(0, len(units), size)]
            for chunk in chunks:
                rest = [unit for unit in units if unit not in chunk]
                if self._late or self._shows(self._part([*rest, *target])):
                    break
            else:
                if size == 1:
                    break
                n_chunks = min(len(units), 2 * n_chunks)
                continue
            if self._late:
                break
            units, n_chunks = rest, max(1, n_chunks - 1)
        return units

    def _drop_claims(self) -> None:
        """Leave out claims that nothing depends on, newest first."""
        for offset in [entry.offset for entry in reversed(self._base.partitions[0].log)]:
            if self._late:
                return
            partition = self._base.partitions[0]
            kept = {place for unit in units_of(partition) for place in unit}
            part = only(partition, kept, self._violation.results, lambda claim, gone=offset: claim != gone)
            if len(part.log) < len(partition.log) and self._shows(_with(self._base, part)):
                self._base = _with(self._base, part)


def _one_partition(history: History, violation: Violation) -> History:
    """Return the violation's partition number, with commits and sends only if the violation is about them."""
    places = set(violation.records)
    sends = [
        send
        for send in history.sends
        if violation.kind == "lost write"
        and send.partition == violation.partition
        and (send.topic, send.offset) in places
    ]
    return History(
        n_partitions=history.n_partitions,
        partitions=[one for one in history.partitions if one.partition == violation.partition],
        commits=_commits(history, violation),
        sends=sends,
    )


def _commits(history: History, violation: Violation) -> list[CommitSample]:
    """Return the first sample with a commit above the violation's record."""
    if violation.kind != "early commit":
        return []
    topic, offset = violation.records[0]
    place = topic, violation.partition
    return [sample for sample in history.commits if sample.committed.get(place, 0) > offset][:1]


def _with(history: History, partition: PartitionHistory) -> History:
    return History(
        n_partitions=history.n_partitions, partitions=[partition], commits=history.commits, sends=history.sends
    )
