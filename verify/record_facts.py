"""The facts on one record, and its judgement by headers, placement, clock and size, without the payload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from streams.join.items import DeadLetterDecision, Item, RunDecision, SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings, fingerprint
from syncline.errors import ContractError
from syncline.wire.events import parse_headers
from syncline.wire.ids import id_hash
from syncline.wire.placement import check_placement
from verify.history import MediaRecord
from verify.log import LoggedDecision
from verify.report import Place


class RecordJudge:
    """Judges a record by headers, placement, clock and size, as a worker does before it decodes the payload."""

    def __init__(self, settings: JoinSettings, n_partitions: int, max_event_bytes: int) -> None:
        self.settings, self.n_partitions, self._max_event_bytes = settings, n_partitions, max_event_bytes
        self.fingerprint = fingerprint(settings, max_event_bytes)
        """The fingerprint in claims of workers with these settings."""

    def judge(
        self, topic: str, partition: int, record: MediaRecord, counts: Sequence[int], *, is_misrouted: bool = False
    ) -> tuple[Item | None, str]:
        """Return the item if the headers are valid, and the dead-letter reason, "" if nothing is wrong.

        counts: the numbers of partitions by which it may have been placed. is_misrouted: a decision says so, which is
        right if it is by one of these numbers: a worker that has not yet seen that the topics grew says so.
        """
        try:
            event = parse_headers(topic, record.key, record.headers, record.append_ms)
            if is_misrouted:
                for count in counts:
                    check_placement(record.key or b"", partition, count)
            check_placement(record.key or b"", partition, counts[0], counts[1:])
        except ContractError as error:
            return None, error.reason
        time_ms = event.time_ms + self.settings.offset_ms.get(event.lane, 0)
        if time_ms - record.append_ms > self.settings.max_ahead_ms:
            return None, "clock"
        item = Item(
            event.stream, event.lane, topic, record.offset, time_ms, time_ms + event.duration_ms,
            id_hash(event.source, event.id, event.retries), record.append_ms,
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


Withheld = Literal["", "aborted", "open"]
WITHHELD_IN_WORDS: dict[Withheld, str] = {
    "aborted": "its transaction was aborted",
    "open": "it is in a transaction that is open, or behind one",
}
"""Why workers do not read a record."""


class Fact:
    """All that is known of one record.

    item: from its headers; None if they are wrong. rejected: the dead-letter reason by headers, placement, clock and
    size; "" if only the payload could be wrong. present: False if retention deleted the record, so that only the log
    knows it, or if workers do not read it. withheld: "aborted" (its transaction was aborted) or "open" (it is in or
    after an open transaction). `late` and `duplicate` are by the lane's log (verify/open_items.py), each with a `maybe`
    where it depends on when workers crashed. `_limit_ms` are watermarks.
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
        "maybe_limit_ms",
        "place",
        "present",
        "published",
        "rejected",
        "rewound",
        "withheld",
    )

    def __init__(
        self, place: Place, item: Item | None, rejected: str, *, present: bool = True, withheld: Withheld = ""
    ) -> None:
        self.place, self.item, self.rejected, self.present = place, item, rejected, present
        self.withheld: Withheld = withheld
        self.expected = False
        """Whether its stream waits for its lane, from this topic."""
        self.late = self.duplicate = self.maybe_late = self.maybe_duplicate = self.rewound = False
        self.late_limit_ms = self.maybe_limit_ms = 0
        self.born_ms = 0
        """The append time of the first record that its lane remembers here; it increases only after a silence."""
        self.decisions: list[LoggedDecision] = []
        """The valid decisions that name it, in log order."""
        self.may_be_decided = False
        """Whether its decision may have been deleted: retention has cut the log, and the rest does not name it."""
        self.published: list[tuple[str, int, str]] = []
        """(topic, offset, id or reason) of what was published of it, each once."""

    @property
    def joins(self) -> bool:
        """Whether it may be in a set, by its headers and its lane's log."""
        return self.expected and not (self.rejected or self.late or self.duplicate or self._ended_alone)

    @property
    def _ended_alone(self) -> bool:
        """Whether the log decides it without the join."""
        return any(_never_joined(placed) for placed in self.decisions)

    @property
    def is_surely_held(self) -> bool:
        """Whether every worker that read its lane so far held it, wherever workers crashed."""
        unsure = self.rewound or self.maybe_late or self.maybe_duplicate or self.may_be_decided
        return self.present and not unsure  # a later worker does not read a deleted record

    def ended_before(self, placed: LoggedDecision) -> LoggedDecision | None:
        """Return the decision that ended it before `placed` in the log."""
        for earlier in self.decisions:
            if earlier.order >= placed.order:
                return None
            if self._ends(earlier):
                return earlier
        return None

    @property
    def n_ends(self) -> int:
        """The number of valid decisions that end it, leaving it open for no further set."""
        return sum(map(self._ends, self.decisions))

    def in_sets_before(self, placed: LoggedDecision) -> bool:
        """Tell whether a set before `placed` in the log has it as a member."""
        return any(isinstance(one.decision, SetDecision) and one.order < placed.order for one in self.decisions)

    def _ends(self, placed: LoggedDecision) -> bool:
        decision = placed.decision
        if not isinstance(decision, SetDecision) or not decision.open_members:
            return True
        return all(
            (decision.members[index].topic, decision.members[index].offset) != self.place
            for index in decision.open_members
            if index < len(decision.members)
        )


def _never_joined(placed: LoggedDecision) -> bool:
    decision = placed.decision
    if isinstance(decision, UnfusedDecision):
        return decision.reason != "unmatched"
    return isinstance(decision, DeadLetterDecision | RunDecision)
