"""Checks conversions: their events, their sets, and that none is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from streams.convert.conversions import matches
from streams.join.items import SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings
from syncline.wire.contract import FUSED, UNFUSED, media_topic
from syncline.wire.converted import MODALITY_OF, topic_of_kind
from syncline.wire.ids import conversion_id
from verify.history import CommitSample, PartitionHistory, PublishedConversion
from verify.log import LoggedDecision
from verify.outcomes import Commits
from verify.partition_facts import Facts
from verify.record_facts import Fact
from verify.report import Place, Report, Violation
from verify.wording import say


class ConversionChecks:
    """Checks `converted.*` of one partition number, after everything else.

    kinds: the conversions that the workers make of every event of the modality, in streams that match `streams`.
    """

    def __init__(
        self,
        history: PartitionHistory,
        facts: Facts,
        settings: JoinSettings,
        kinds: Collection[str],
        streams: Sequence[str],
        report: Report,
    ) -> None:
        self._history, self._facts, self._settings, self._report = history, facts, settings, report
        self._kinds = {topic: [kind for kind in kinds if media_topic(MODALITY_OF[kind]) == topic] for topic in _MEDIA}
        self._streams = streams
        self._first: dict[tuple[str, int, str], int] = {}

    def judge(
        self, published: Sequence[tuple[str, PublishedConversion]], samples: Sequence[CommitSample], *, finished: bool
    ) -> None:
        """Check all published conversions, (topic, record) each, and missing ones."""
        seen: dict[str, Place] = {}
        for topic, record in published:
            fact = self._facts.by_place.get((record.topic, record.offset))
            why = self._wrong(record, fact) if fact is not None else ""
            if why and fact is not None:
                self._add("void effect", fact, f"{topic}@{record.at}: {record.kind}: {why}", (topic, record.at))
                continue
            self._judge_repeat(seen, topic, record, fact)
            self._first.setdefault((record.topic, record.offset, record.kind), record.at)
        commits = {topic: Commits(topic, self._history.partition, samples) for topic in _MEDIA}
        for fact in self._facts.by_place.values():
            for kind in self._wanted(fact):
                self._judge_wanted(fact, kind, commits[fact.place[0]], finished=finished)

    def _judge_repeat(self, seen: dict[str, Place], topic: str, record: PublishedConversion, fact: Fact | None) -> None:
        """Check that an id names one event's conversion; `seen` has the first event of each id."""
        place = record.topic, record.offset
        if record.id not in seen:
            seen[record.id] = place
        elif seen[record.id] == place:
            self._report.count("repeats", topic)
        elif fact is not None:
            of = f"{say([place])} has id {record.id}, as has the {record.kind} of {say([seen[record.id]])}"
            self._add("differing repeat", fact, f"{topic}@{record.at}: {of}", (topic, record.at))

    def _wrong(self, record: PublishedConversion, fact: Fact) -> str:
        """Return how a conversion differs from its event; "" if it does not."""
        item = fact.item
        if item is None or not any(_may_be_converted(placed) for placed in fact.decisions):
            unsure = fact.may_be_decided or (item is not None and not fact.decisions and not fact.present)
            return "" if unsure else "its record is in no set and is not unfused"
        if (record.stream, record.lane, record.time_ms) != (item.stream, item.lane, item.time_ms):
            return f"its record is {item.stream} {item.lane} at {item.time_ms}"
        event_ms = record.time_ms - self._settings.offset_ms.get(record.lane, 0)
        parts = (record.stream, record.lane, event_ms, record.source, record.event_id, record.kind)
        # Earlier releases left the place out for events in no set too.
        alone = None if record.set_id else (record.topic, record.partition, record.offset)
        if record.id not in (conversion_id(*parts, alone), conversion_id(*parts)):
            return f"its id must be {conversion_id(*parts, alone)}"
        sets = {ident for topic, _, ident in fact.published if topic == FUSED}
        n_sets = sum(isinstance(placed.decision, SetDecision) for placed in fact.decisions)
        if record.set_id and record.set_id not in sets and len(sets) >= n_sets:
            return f"it names set {record.set_id} but its record is in {say(sorted(sets))}"
        return ""

    def _wanted(self, fact: Fact) -> Iterator[str]:
        """Yield the kinds that must have been made of a record, by its outcome."""
        ended = any(topic == FUSED or (topic == UNFUSED and said != "duplicate") for topic, _, said in fact.published)
        if fact.present and ended and fact.item is not None and matches(fact.item.stream, self._streams):
            yield from self._kinds.get(fact.place[0], ())

    def _judge_wanted(self, fact: Fact, kind: str, commits: Commits, *, finished: bool) -> None:
        topic = topic_of_kind(kind)
        offset = self._first.get((*fact.place, kind))
        if offset is None and self._history.span(topic).start > 0:
            return  # retention may have deleted it
        self._report.count("conversions", kind if offset is not None else f"{kind}, not there")
        sample = commits.first_above(fact.place[1])
        if sample is not None and (offset is None or offset >= sample.ends.get((topic, self._history.partition), 0)):
            self._add("early commit", fact, f"{say([fact.place])} was committed before its {kind} was published")
        elif offset is None and finished:
            self._add("no conversion", fact, f"{say([fact.place])} has no {kind}")

    def _add(self, kind: str, fact: Fact, sentence: str, *results: tuple[str, int]) -> None:
        self._report.add(
            Violation(
                kind=kind,
                sentence=sentence,
                partition=self._history.partition,
                stream=fact.item.stream if fact.item is not None else "",
                records=(fact.place,),
                log_offsets=tuple(placed.offset for placed in fact.decisions),
                results=results,
            )
        )


_MEDIA = tuple(media_topic(modality) for modality in MODALITY_OF.values())


def _may_be_converted(placed: LoggedDecision) -> bool:
    decision = placed.decision
    if isinstance(decision, UnfusedDecision):
        return decision.reason != "duplicate"
    return isinstance(decision, SetDecision) or (
        getattr(decision, "outcome", "") == "unfused" and getattr(decision, "reason", "") != "duplicate"
    )
