"""Checks decisions that do not depend on the join: dead letters, runs and failed sets."""

from __future__ import annotations

from processors.limits import REASONS
from streams.join.items import DeadLetterDecision, FailedDecision, RunDecision, UnfusedDecision
from verify.log import LoggedDecision
from verify.partition_facts import Facts
from verify.record_facts import Fact
from verify.report import Place, Report, Violation
from verify.wording import in_words, say

PAYLOAD_REASONS = REASONS | {"model_failed"}
"""Dead-letter reasons that depend on the payload or the model and so cannot be checked."""
SET_REASONS = PAYLOAD_REASONS | {"too_large"}
"""Reasons of failed sets; whether a result is too large for its topic only its broker knows."""


class Alone:
    """Checks dead letters, runs and failed sets of one partition number."""

    def __init__(
        self, facts: Facts, sets: dict[tuple[Place, ...], LoggedDecision], report: Report, partition: int
    ) -> None:
        self._facts, self._sets, self._report, self._partition = facts, sets, report, partition

    def dead_letter(self, placed: LoggedDecision, decision: DeadLetterDecision) -> None:
        """Check one record's dead letter."""
        fact = self._facts.by_place.get((decision.topic, decision.offset))
        if fact is None:
            if not self._deleted(decision.topic, decision.offset):
                self._add(placed, "unknown record", f"there is no record {say([(decision.topic, decision.offset)])}")
            return
        wrong = wrong_reason(placed, fact, decision.reason)
        if not wrong and fact.present and decision.item != (fact.item if fact.expected else None):
            wrong = f"it describes the record as {decision.item} but it is {fact.item}"
        if wrong:
            self._add(placed, "wrong decision", wrong)

    def run(self, placed: LoggedDecision, decision: RunDecision) -> list[tuple[Fact, LoggedDecision]]:
        """Check a run of dead letters; return unfused ones as single decisions, for their streams."""
        singles: list[tuple[Fact, LoggedDecision]] = []
        for offset in range(decision.first_offset, decision.last_offset + 1):
            fact = self._facts.by_place.get((decision.topic, offset))
            if fact is None:
                if not self._deleted(decision.topic, offset):
                    self._add(placed, "unknown record", f"there is no record {say([(decision.topic, offset)])}")
            elif decision.outcome == "deadletter":
                wrong = wrong_reason(placed, fact, decision.reason)
                if wrong:
                    self._add(placed, "wrong decision", f"{say([fact.place])}: {wrong}")
            elif fact.item is None or decision.reason not in ("late", "unexpected"):
                wrong = f"{say([fact.place])} can only be a dead letter ({fact.rejected})"
                self._add(placed, "wrong decision", wrong)
            else:
                singles.append((fact, placed._replace(decision=UnfusedDecision(fact.item, decision.reason))))
        return singles

    def failed(self, placed: LoggedDecision, decision: FailedDecision) -> None:
        """Check a failed set: the set must exist, and its lost records must be gone."""
        known = self._sets.get(decision.members)
        lost = [place for place in decision.lost if (fact := self._facts.by_place.get(place)) and fact.present]
        if (known is None and not self._facts.log_is_cut) or (known is not None and known.order > placed.order):
            self._add(placed, "wrong decision", "no earlier valid decision is of that set")
        elif lost:
            self._add(placed, "wrong decision", f"{say(lost)} is called lost but exists")
        elif decision.reason not in SET_REASONS and not (decision.reason == "lost" and decision.lost):
            self._add(placed, "wrong decision", f"{decision.reason} is no reason for a set to fail")

    def _deleted(self, topic: str, offset: int) -> bool:
        return offset < self._facts.start(topic)

    def _add(self, placed: LoggedDecision, kind: str, wrong: str) -> None:
        decision = placed.decision
        places: list[Place] = []
        if isinstance(decision, DeadLetterDecision):
            places = [(decision.topic, decision.offset)]
        elif isinstance(decision, RunDecision):
            places = [(decision.topic, decision.first_offset), (decision.topic, decision.last_offset)]
        elif isinstance(decision, FailedDecision):
            places = list(decision.members)
        self._report.add(
            Violation(
                kind=kind,
                sentence=f"log offset {placed.offset}: {in_words(decision)}: {wrong}",
                partition=self._partition,
                stream=self._facts.stream_of(places),
                records=tuple(places),
                log_offsets=(placed.offset,),
            )
        )


def wrong_reason(placed: LoggedDecision, fact: Fact, reason: str) -> str:
    """Return why a record must not be a dead letter for this reason; "" if it may."""
    earlier = fact.ended_before(placed)
    if earlier is not None:
        return f"it was decided before, at log offset {earlier.offset}"
    if not fact.present or reason == fact.rejected:
        return ""
    if fact.rejected:
        return f"headers, place and size say {fact.rejected}"
    return "" if reason in PAYLOAD_REASONS else "nothing in its headers says so"
