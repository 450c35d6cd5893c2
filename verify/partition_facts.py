"""The facts on each record of one partition number, from the record and from the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from streams.decisions.entries import keys_of, moving_items
from streams.join.items import DeadLetterDecision, Item, RunDecision, SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings
from syncline.wire.contract import DECISIONS, MEDIA_TOPICS, media_topic
from verify.history import MediaRecord, PartitionHistory
from verify.log import FoldedLog, LoggedDecision
from verify.record_facts import Fact, RecordJudge, Withheld
from verify.report import Place

Judged = Callable[[str, MediaRecord], tuple[Item | None, str]]
"""Returns a record's item and dead-letter reason, as `RecordJudge.judge` does."""


class Facts:
    """The records of one partition number by place, and the topics with unknown deleted records."""

    def __init__(self, history: PartitionHistory, folded: FoldedLog, judge: RecordJudge) -> None:
        self.by_place: dict[Place, Fact] = {}
        self._ttl_ms = judge.settings.stream_ttl_ms
        self._starts = {topic: history.span(topic).start for topic in MEDIA_TOPICS}
        judged = _judging(history.partition, folded, judge)
        for topic in MEDIA_TOPICS:
            for record in history.media.get(topic, ()):
                place = topic, record.offset
                self.by_place[place] = Fact(place, *judged(topic, record))
        self.withheld: dict[Place, Withheld] = {}
        """Records that no worker reads, and why; those that the log names are facts too."""
        self._add_withheld("aborted", history.aborted, judged)
        self._add_withheld("open", history.unstable, judged)
        self._drop_unnamed(folded)
        self._add_deleted(history, folded)
        self.unknown = {topic for topic in MEDIA_TOPICS if self._has_unknown(history, topic, folded)}
        """Topics with deleted records that no decision names: they may have moved watermarks."""
        self._mark_expected(judge.settings)
        self.log_is_cut = history.span(DECISIONS).start > 0
        self._name(folded)

    def _name(self, folded: FoldedLog) -> None:
        for placed in folded.valid:
            for place in keys_of(placed.decision):
                fact = self.by_place.get(place)
                if fact is not None:
                    fact.decisions.append(placed)
        if self.log_is_cut:
            for fact in self.by_place.values():
                fact.may_be_decided = not fact.decisions

    def _add_withheld(self, why: Withheld, by_topic: Mapping[str, Sequence[MediaRecord]], judged: Judged) -> None:
        for topic, records in by_topic.items():
            for record in records:
                place = (topic, record.offset)
                self.withheld[place] = why
                self.by_place[place] = Fact(place, *judged(topic, record), present=False, withheld=why)

    def _drop_unnamed(self, folded: FoldedLog) -> None:
        # Workers from before media were read committed may have decided on them; later ones never read them.
        named = {place for placed in (*folded.unsure, *folded.valid) for place in keys_of(placed.decision)}
        for place in self.withheld.keys() - named:
            del self.by_place[place]

    def _add_deleted(self, history: PartitionHistory, folded: FoldedLog) -> None:
        for placed in (*folded.unsure, *folded.valid):
            for item in _items_of(placed):
                place = (item.topic, item.offset)
                if place not in self.by_place and item.offset < history.span(item.topic).start:
                    self.by_place[place] = Fact(place, item, "", present=False)

    def _has_unknown(self, history: PartitionHistory, topic: str, folded: FoldedLog) -> bool:
        span = history.span(topic)
        named = {place[1]: fact for place, fact in self.by_place.items() if place[0] == topic and place[1] < span.start}
        offsets = set(named) | _named_alone(topic, span.start, folded)
        if span.start == 0:
            return False
        low = min(offsets, default=span.start)
        if len(offsets) < span.start - low or low == span.start:
            return True
        # Records from before the log's start are forgotten by the join, if the log goes back far enough.
        oldest_ms = min((fact.item.append_ms for fact in named.values() if fact.item), default=span.first_append_ms)
        return low > 0 and span.first_append_ms - oldest_ms <= self._ttl_ms

    def _mark_expected(self, settings: JoinSettings) -> None:
        known: dict[str, set[tuple[str, str]]] = {}
        for fact in self.by_place.values():
            item = fact.item
            if item is None:
                continue
            lanes = known.get(item.stream)
            if lanes is None:
                lanes = known[item.stream] = {
                    (lane.name, media_topic(lane.modality)) for lane in settings.lanes_of(item.stream)
                }
            fact.expected = (item.lane, item.topic) in lanes

    def start(self, topic: str) -> int:
        """Return a topic's first offset left by retention."""
        return self._starts.get(topic, 0)

    def stream_of(self, places: Iterable[Place]) -> str:
        """Return the stream of the first of these records with a stream."""
        return next((fact.item.stream for fact in self.of(places) if fact.item is not None), "")

    def of(self, places: Iterable[Place]) -> list[Fact]:
        """Return the facts of known places."""
        return [fact for place in places if (fact := self.by_place.get(place)) is not None]


def _judging(partition: int, folded: FoldedLog, judge: RecordJudge) -> Judged:
    """Make the judge of one partition number's records, with the log's numbers of partitions."""
    misrouted = folded.misrouted()

    def judged(topic: str, record: MediaRecord) -> tuple[Item | None, str]:
        place = topic, record.offset
        counts = folded.counts(*place, judge.n_partitions)
        return judge.judge(topic, partition, record, counts, is_misrouted=place in misrouted)

    return judged


def _named_alone(topic: str, stop: int, folded: FoldedLog) -> set[int]:
    """Return the offsets below `stop` that the log decides without an item."""
    named: set[int] = set()
    for placed in (*folded.unsure, *folded.valid):
        decision = placed.decision
        if isinstance(decision, RunDecision) and decision.topic == topic:
            named.update(range(decision.first_offset, min(stop, decision.last_offset + 1)))
        elif isinstance(decision, DeadLetterDecision) and decision.topic == topic and decision.offset < stop:
            named.add(decision.offset)
    return named


def _items_of(placed: LoggedDecision) -> Iterable[Item]:
    decision = placed.decision
    if isinstance(decision, UnfusedDecision):
        return (decision.item,)
    if isinstance(decision, SetDecision):
        return decision.members
    return moving_items(decision)
