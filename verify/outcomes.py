"""Checks each record's outcome: exactly one, and published before the record was committed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from streams.join.items import SetDecision
from streams.join.settings import JoinSettings
from syncline.wire.contract import DEADLETTER, FUSED, RESULT_TOPICS
from verify.attribution import Carried, topic_of
from verify.history import CommitSample, PartitionHistory
from verify.log import LoggedDecision
from verify.partition_facts import Facts
from verify.record_facts import WITHHELD_IN_WORDS, Fact
from verify.report import Report, Violation
from verify.wording import in_words, say


class Commits:
    """The commits of one topic partition, over all samples."""

    def __init__(self, topic: str, partition: int, samples: Sequence[CommitSample]) -> None:
        self._offsets: list[int] = []
        self._samples: list[CommitSample] = []
        for sample in samples:
            committed = sample.committed.get((topic, partition), 0)
            if not self._offsets or committed > self._offsets[-1]:
                self._offsets.append(committed)
                self._samples.append(sample)

    def first_above(self, offset: int) -> CommitSample | None:
        """Return the first sample with a commit above `offset`."""
        at = bisect_right(self._offsets, offset)
        return self._samples[at] if at < len(self._samples) else None


RETENTION_MARGIN_MS = 60_000
"""Tolerance for brokers' clocks: a decision up to this much newer than the oldest result may have lost its outcome."""


class Endings:
    """Checks every record of one partition number by what was published of it."""

    def __init__(
        self,
        history: PartitionHistory,
        facts: Facts,
        carried: Carried,
        commits: Sequence[CommitSample],
        settings: JoinSettings | None,
        report: Report,
    ) -> None:
        """settings: the workers'; None if they changed, so that only the log tells what may be shared."""
        self._history, self._facts, self._carried, self._report = history, facts, carried, report
        self._shares_by_log = settings is None
        shares = settings is not None and settings.strategy == "nearest" and settings.share
        self._shared_but = settings.pivot if settings is not None and shares else None
        self._commits = {topic: Commits(topic, history.partition, commits) for topic in history.spans}

    def judge(self, *, finished: bool) -> None:
        """Check all records; unless `finished`, a record without an outcome is pending."""
        self._count_withheld()
        for fact in self._facts.by_place.values():
            if fact.withheld:
                if fact.published:
                    outcomes = sorted({_outcome(topic, ident) for topic, _, ident in fact.published})
                    self._add(
                        "aborted record", fact, f"{WITHHELD_IN_WORDS[fact.withheld]}, and it ended as {say(outcomes)}"
                    )
                continue
            if not fact.present:
                self._report.count("records", "deleted by retention, known from the log")
                continue
            outcomes = {_outcome(topic, ident) for topic, _, ident in fact.published}
            missing = [placed for placed in fact.decisions if not self._carried.is_out(placed, fact.place)]
            gone = all(self._may_be_deleted(placed) for placed in missing)
            self._report.count("records", self._row(fact, outcomes, missing, gone, finished))
            if len(outcomes) > 1 and not self._is_shared(fact, outcomes):
                self._add("two outcomes", fact, f"it ended as {say(sorted(outcomes))}")
            undecided = not (fact.decisions or outcomes or fact.may_be_decided)
            if finished and (undecided or not gone):
                self._add("no outcome", fact, _why_none(missing))
            if not (missing and gone):
                self._committed(fact)

    def _count_withheld(self) -> None:
        rows = {"aborted": "aborted", "open": "in an open transaction, or behind one"}
        for why in self._facts.withheld.values():
            self._report.count("records", rows[why])

    def _row(self, fact: Fact, outcomes: set[str], missing: list[LoggedDecision], gone: bool, finished: bool) -> str:
        if missing and gone:
            return "outcome deleted by retention"
        if outcomes and not missing:
            return " and ".join(sorted({"fused" if said.startswith("fused ") else said for said in outcomes}))
        if not fact.decisions and fact.may_be_decided:
            return "decided before the log begins"
        return "without outcome" if finished else ("decided, not yet published" if missing else "pending")

    def _is_shared(self, fact: Fact, outcomes: set[str]) -> bool:
        """Tell whether the outcomes are several sets that share the record."""
        others = self._shared_but is not None and fact.item is not None and fact.item.lane != self._shared_but
        if self._shares_by_log:
            others = fact.n_ends <= 1
        return others and all(outcome.startswith(("fused ", "deadletter ")) for outcome in outcomes)

    def _may_be_deleted(self, placed: LoggedDecision) -> bool:
        """Tell whether retention may have deleted the outcome: the oldest one left is newer than the decision."""
        topics = (FUSED, DEADLETTER) if isinstance(placed.decision, SetDecision) else (topic_of(placed),)
        for topic in topics:
            span = self._history.span(topic)
            empty = span.start == span.end
            if span.start > 0 and (empty or placed.append_ms <= span.first_append_ms + RETENTION_MARGIN_MS):
                return True
        return False

    def _committed(self, fact: Fact) -> None:
        """Check the first sample with a commit above the record."""
        topic, offset = fact.place
        commits = self._commits.get(topic)
        sample = commits.first_above(offset) if commits is not None else None
        if sample is None or (not fact.decisions and (fact.may_be_decided or fact.published)):
            return
        ends = {name: sample.ends.get((name, self._history.partition), 0) for name in RESULT_TOPICS}
        late = [placed for placed in fact.decisions if not self._carried.is_out(placed, fact.place, ends)]
        if late or not fact.decisions:
            committed = sample.committed[topic, self._history.partition]
            what = in_words(late[0].decision) if late else "an outcome"
            self._add("early commit", fact, f"offset {committed} was committed before {what} was published")

    def _add(self, kind: str, fact: Fact, sentence: str) -> None:
        self._report.add(
            Violation(
                kind=kind,
                sentence=f"{say([fact.place])}: {sentence}",
                partition=self._history.partition,
                stream=fact.item.stream if fact.item is not None else "",
                records=(fact.place,),
                log_offsets=tuple(placed.offset for placed in fact.decisions),
                results=tuple((topic, offset) for topic, offset, _ in fact.published),
            )
        )


def _outcome(topic: str, ident: str) -> str:
    return f"fused {ident}" if topic == FUSED else f"{topic} {ident}"


def _why_none(missing: Sequence[LoggedDecision]) -> str:
    if not missing:
        return "no valid decision names it, and nothing about it was published"
    return f"{in_words(missing[0].decision)} (log offset {missing[0].offset}) was never published"
