"""Attributes published records to decisions, and finds where each decision was first carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from streams.decisions.entries import covered_ms
from streams.join.items import DeadLetterDecision, FailedDecision, RunDecision, SetDecision, UnfusedDecision
from syncline.wire.contract import DEADLETTER, FUSED, UNFUSED
from syncline.wire.ids import id_hash, record_id, result_id
from verify.history import Fused, Single
from verify.log import FoldedLog, LoggedDecision
from verify.partition_facts import Facts
from verify.record_facts import Fact, RecordJudge
from verify.report import Place
from verify.single_record_checks import PAYLOAD_REASONS

Places = tuple[Place, ...]


class SetOf(NamedTuple):
    """A set's decision and its place in the log."""

    placed: LoggedDecision
    decision: SetDecision


class Decided:
    """The valid decisions of one partition number, indexed by the records that they name."""

    def __init__(self, folded: FoldedLog) -> None:
        self.sets: dict[Places, SetOf] = {}
        self.failed: dict[Places, set[str]] = {}
        self.failed_of: dict[Place, list[Places]] = {}
        """By record, the failed sets with it as a member."""
        self.void: dict[Places, LoggedDecision] = {}
        self.n_failed = 0
        for placed in folded.valid:
            if isinstance(placed.decision, SetDecision):
                self.sets.setdefault(members_of(placed.decision), SetOf(placed, placed.decision))
            elif isinstance(placed.decision, FailedDecision):
                self._fail(placed.decision)
        for placed in folded.void:
            if isinstance(placed.decision, SetDecision):
                self.void.setdefault(members_of(placed.decision), placed)
            elif isinstance(placed.decision, UnfusedDecision):
                self.void.setdefault(((placed.decision.item.topic, placed.decision.item.offset),), placed)
            elif isinstance(placed.decision, DeadLetterDecision):
                self.void.setdefault(((placed.decision.topic, placed.decision.offset),), placed)
        self.unsure = {members_of(p.decision) for p in folded.unsure if isinstance(p.decision, SetDecision)}

    def _fail(self, decision: FailedDecision) -> None:
        if decision.members not in self.failed:
            for place in decision.members:
                self.failed_of.setdefault(place, []).append(decision.members)
        self.failed.setdefault(decision.members, set()).add(decision.reason)


def members_of(decision: SetDecision) -> Places:
    """Return a set's identity in the log: the places of its members."""
    return tuple([(item.topic, item.offset) for item in decision.members])


class Accounts:
    """Checks whether a published record matches a valid decision."""

    def __init__(self, facts: Facts, decided: Decided, judge: RecordJudge, partition: int) -> None:
        self._facts, self._decided, self._partition = facts, decided, partition
        self._settings, self._fingerprint = judge.settings, judge.fingerprint

    def wrong_fused(self, result: Fused) -> str:
        """Return how a fused result differs from the valid decision about its members; "" if it does not."""
        places = tuple([(member.topic, member.offset) for member in result.members])
        found = self._decided.sets.get(places)
        if found is None:
            return "" if self._may_be_of_the_cut_log(places) else "no valid decision has these members"
        decision = found.decision
        if (result.stream, result.outcome, result.reason) != (decision.stream, decision.outcome, decision.reason):
            return f"the decision at log offset {found.placed.offset} says {decision.outcome} by {decision.reason}"
        covered = covered_ms(decision, self._settings.size_ms)
        if result.missing != decision.missing or (result.start_ms, result.end_ms) != covered:
            return f"the decision at log offset {found.placed.offset} covers {covered} and other lanes"
        offset_ms = self._settings.offset_ms
        for member, item in zip(result.members, decision.members, strict=True):
            same = (member.lane, member.time_ms) == (item.lane, item.time_ms)
            if not same or id_hash(member.source, member.event_id, member.retries) != item.id_hash:
                return f"it calls {item.topic}@{item.offset} {member.lane} {member.source} {member.event_id}"
        parts = [(m.lane, m.time_ms - offset_ms.get(m.lane, 0), m.source, m.event_id) for m in result.members]
        expected = result_id(result.stream, decision.strategy, parts)
        # Event times before their lane's offset are only known for decisions under our settings.
        is_ours = found.placed.fingerprint in ("", self._fingerprint)
        return "" if result.id == expected or not is_ours else f"its id must be {expected}"

    def wrong_single(self, topic: str, single: Single, fact: Fact) -> str:
        """Return how an unfused event or dead letter differs from the valid decisions about its record."""
        if single.id != record_id(single.topic, single.partition, single.offset):
            return f"its id is {single.id}"
        for placed in fact.decisions:
            if self._says(placed, topic, single):
                return ""
        return "" if self._may_be_of_the_cut_log((fact.place,)) else "no valid decision says so"

    def _says(self, placed: LoggedDecision, topic: str, single: Single) -> bool:
        decision = placed.decision
        if isinstance(decision, UnfusedDecision):
            said = (UNFUSED, decision.reason, decision.late_by_ms)
            return said == (topic, single.reason, single.late_by_ms)
        if isinstance(decision, RunDecision):
            kind = UNFUSED if decision.outcome == "unfused" else DEADLETTER
            return (kind, decision.reason) == (topic, single.reason)
        if isinstance(decision, DeadLetterDecision):
            return (DEADLETTER, decision.reason) == (topic, single.reason)
        if not isinstance(decision, SetDecision) or topic != DEADLETTER:
            return False
        reasons = self._decided.failed.get(members_of(decision), set())
        return bool(reasons) and (single.reason in reasons or single.reason in PAYLOAD_REASONS)

    def _may_be_of_the_cut_log(self, places: Places) -> bool:
        if places in self._decided.unsure:
            return True
        facts = self._facts.of(places)
        return len(facts) < len(places) or any(fact.may_be_decided for fact in facts)


class Carried:
    """The places where valid decisions were first carried out."""

    def __init__(self, decided: Decided) -> None:
        self._decided = decided
        self.sets: dict[Places, int] = {}
        """By members of a set, the offset of its first fused result."""
        self.singles: dict[tuple[str, Place], int] = {}
        """By topic and record, the offset of its first unfused event or dead letter."""

    def is_out(self, placed: LoggedDecision, place: Place, ends: Mapping[str, int] | None = None) -> bool:
        """Tell whether a decision's outcome for the record at `place` is out, below `ends` (by topic) if given."""
        decision = placed.decision
        if isinstance(decision, SetDecision):
            members = members_of(decision)
            if _below(self.sets.get(members), FUSED, ends):
                return True
            failed = members in self._decided.failed
            return failed and _below(self.singles.get((DEADLETTER, place)), DEADLETTER, ends)
        topic = topic_of(placed)
        return topic == "" or _below(self.singles.get((topic, place)), topic, ends)


def topic_of(placed: LoggedDecision) -> str:
    """Return the result topic of a single record's decision; "" if nothing is published for it."""
    decision = placed.decision
    if isinstance(decision, UnfusedDecision):
        return UNFUSED
    if isinstance(decision, RunDecision):
        return UNFUSED if decision.outcome == "unfused" else DEADLETTER
    return DEADLETTER if isinstance(decision, DeadLetterDecision) else ""


def _below(offset: int | None, topic: str, ends: Mapping[str, int] | None) -> bool:
    return offset is not None and (ends is None or offset < ends.get(topic, 0))


def same_result(one: Fused, other: Fused) -> bool:
    """Tell whether a repeat equals the first result, as far as the contract demands."""
    fields: Sequence[str] = ("stream", "start_ms", "end_ms", "outcome", "reason", "missing", "members")
    return all(getattr(one, name) == getattr(other, name) for name in fields)
