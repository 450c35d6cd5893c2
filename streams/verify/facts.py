"""What each record of one partition number says of itself, and what the log and the results say of it."""

from __future__ import annotations

from collections.abc import Iterable

from streams.decisions.naming import keys_of, moving_items
from streams.join.model import DeadLetterDecision, Item, RunDecision, SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings
from streams.verify.history import MediaRecord, PartitionHistory
from streams.verify.log import FoldedLog, Placed
from streams.verify.report import Place
from syncline.contract import DECISIONS, MEDIA_TOPICS
from syncline.errors import ContractError
from syncline.events import parse_headers
from syncline.ids import id_hash
from syncline.placement import check_placement


class Fact:
    """All that is known of one record.

    `item`: as its headers say; None where they are wrong. `rejected`: the dead-letter reason that follows from headers,
    placement, clock and size; "" where only the payload could be wrong. `present`: False where retention has deleted
    the record and the log alone knows it. What the lane's log says (streams/verify/lanes.py): `late`, `duplicate`, each
    with what may have been, because it depends on how the workers' lives were cut; `late_limit_ms` is the watermark.
    """

    __slots__ = (
        "born_ms",
        "decisions",
        "duplicate",
        "expected",
        "item",
        "late",
        "late_limit_ms",
        "may_be_decided",
        "maybe_duplicate",
        "maybe_late",
        "place",
        "present",
        "published",
        "rejected",
        "rewound",
    )

    def __init__(self, place: Place, item: Item | None, rejected: str, *, present: bool = True) -> None:
        self.place, self.item, self.rejected, self.present = place, item, rejected, present
        self.expected = False
        """Its stream waits for its lane, from this topic."""
        self.late = self.duplicate = self.maybe_late = self.maybe_duplicate = self.rewound = False
        self.late_limit_ms = 0
        self.born_ms = 0
        """Append time of the first record that its lane remembers here: later than others' only after a silence."""
        self.decisions: list[Placed] = []
        """Every valid decision that names it, in log order."""
        self.may_be_decided = False
        """Retention has cut the log, and what is left does not name it: a decision may have stood in what is gone."""
        self.published: list[tuple[str, int, str]] = []
        """(topic, offset, id or reason) of what was published of it, each once."""

    @property
    def joins(self) -> bool:
        """Whether it may be in a set, as far as headers and its lane's log say."""
        return self.expected and not (self.rejected or self.late or self.duplicate or self._ended_alone)

    @property
    def _ended_alone(self) -> bool:
        """Whether the log ends it as something that never was in the join."""
        return any(_never_joined(placed) for placed in self.decisions)

    @property
    def is_surely_held(self) -> bool:
        """Whether every worker that had read its lane so far held it: no life was cut in a way that matters."""
        return not (self.rewound or self.maybe_late or self.maybe_duplicate or self.may_be_decided)

    def ended_before(self, placed: Placed) -> Placed | None:
        """The decision that ended it before `placed` in the log."""
        for earlier in self.decisions:
            if earlier.order >= placed.order:
                return None
            if self._ends(earlier):
                return earlier
        return None

    def in_sets_before(self, placed: Placed) -> bool:
        """Whether a set before `placed` in the log has it as a member."""
        return any(isinstance(one.decision, SetDecision) and one.order < placed.order for one in self.decisions)

    def _ends(self, placed: Placed) -> bool:
        decision = placed.decision
        if not isinstance(decision, SetDecision) or not decision.open_members:
            return True
        return all(
            (decision.members[index].topic, decision.members[index].offset) != self.place
            for index in decision.open_members
            if index < len(decision.members)
        )


def _never_joined(placed: Placed) -> bool:
    decision = placed.decision
    if isinstance(decision, UnfusedDecision):
        return decision.reason != "unmatched"
    return isinstance(decision, DeadLetterDecision | RunDecision)


class Facts:
    """The records of one partition number by place, and which topics have records that nobody knows any more."""

    def __init__(self, history: PartitionHistory, folded: FoldedLog, judge: RecordJudge) -> None:
        self.by_place: dict[Place, Fact] = {}
        self._ttl_ms = judge.settings.stream_ttl_ms
        self._starts = {topic: history.span(topic).start for topic in MEDIA_TOPICS}
        for topic in MEDIA_TOPICS:
            for record in history.media.get(topic, ()):
                item, rejected = judge.judge(topic, history.partition, record)
                self.by_place[topic, record.offset] = Fact((topic, record.offset), item, rejected)
        self._add_deleted(history, folded)
        self.unknown = {topic for topic in MEDIA_TOPICS if self._has_unknown(history, topic, folded)}
        """Topics of which retention has deleted records that no decision speaks of: they may have moved watermarks."""
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
        # What lies further back than the log itself is forgotten, if the log goes back far enough.
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
                    (lane.name, f"media.{lane.modality}") for lane in settings.lanes_of(item.stream)
                }
            fact.expected = (item.lane, item.topic) in lanes

    def start(self, topic: str) -> int:
        """The first offset of a topic that retention has left."""
        return self._starts.get(topic, 0)

    def stream_of(self, places: Iterable[Place]) -> str:
        """The stream of the first of these records that has one."""
        return next((fact.item.stream for fact in self.of(places) if fact.item is not None), "")

    def of(self, places: Iterable[Place]) -> list[Fact]:
        """The facts of those places that are known."""
        return [fact for place in places if (fact := self.by_place.get(place)) is not None]


def _named_alone(topic: str, stop: int, folded: FoldedLog) -> set[int]:
    """Offsets below `stop` that the log ends without an item."""
    named: set[int] = set()
    for placed in (*folded.unsure, *folded.valid):
        decision = placed.decision
        if isinstance(decision, RunDecision) and decision.topic == topic:
            named.update(range(decision.first_offset, min(stop, decision.last_offset + 1)))
        elif isinstance(decision, DeadLetterDecision) and decision.topic == topic and decision.offset < stop:
            named.add(decision.offset)
    return named


def _items_of(placed: Placed) -> Iterable[Item]:
    decision = placed.decision
    if isinstance(decision, UnfusedDecision):
        return (decision.item,)
    if isinstance(decision, SetDecision):
        return decision.members
    return moving_items(decision)


class RecordJudge:
    """Judges a record by its headers, place, clock and size, as a worker does before it looks at the payload."""

    def __init__(self, settings: JoinSettings, n_partitions: int, max_event_bytes: int) -> None:
        self.settings, self._n_partitions, self._max_event_bytes = settings, n_partitions, max_event_bytes

    def judge(self, topic: str, partition: int, record: MediaRecord) -> tuple[Item | None, str]:
        """Its item where the headers are valid, and its dead-letter reason, "" where none of this is wrong."""
        try:
            event = parse_headers(topic, record.key, record.headers, record.append_ms)
            check_placement(record.key or b"", partition, self._n_partitions)
        except ContractError as error:
            return None, error.reason
        time_ms = event.time_ms + self.settings.offset_ms.get(event.lane, 0)
        if time_ms - record.append_ms > self.settings.max_ahead_ms:
            return None, "clock"
        item = Item(
            event.stream, event.lane, topic, record.offset, time_ms, time_ms + event.duration_ms,
            id_hash(event.source, event.id), record.append_ms,
        )  # fmt: skip
        return item, self._of_value(record.n_bytes, by_reference=bool(event.dataref))

    def _of_value(self, n_bytes: int | None, *, by_reference: bool) -> str:
        if by_reference:
            return "dataref_refused"
        if n_bytes is None:
            return "null_value"
        if n_bytes == 0:
            return "empty_value"
        return "too_large" if n_bytes > self._max_event_bytes else ""
