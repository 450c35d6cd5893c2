"""Counts what becomes of the records that a worker takes; decides nothing.

    taken  =  fused + unfused + deadletter + lost + settled + handed back  +  held now

holds at every moment: in_flight.py counts a record when it is held and when it is let go, and nothing else does. All
owners of a worker share one `Counters`, which outlives them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from streams.decisions.records import RecordOutcome, Task
from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from streams.join.clocks import Forgotten
from streams.join.items import (
    ClosedDecision,
    DeadLetterDecision,
    Decision,
    FailedDecision,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)

_KINDS: dict[type, str] = {
    SetDecision: "set",
    UnfusedDecision: "unfused",
    DeadLetterDecision: "deadletter",
    FailedDecision: "failed",
}


class Counters:
    """Counters of one worker since its start."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        """Records by topic, with the kept places of lost ones."""
        self.let_go: Counter[RecordOutcome] = Counter()
        """Records by outcome."""
        self.sets: Counter[str] = Counter()
        """Published sets: complete, partial, failed."""
        self.unfused: Counter[tuple[str, str]] = Counter()
        """Published unfused records, by (topic, reason)."""
        self.dead_letters: Counter[str] = Counter()
        """Published dead letters by reason."""
        self.decisions: Counter[tuple[str, str]] = Counter()
        """Valid decisions read back from the log, by (kind, reason); a run counts once a record."""
        self.waits_ms = Histogram(LATENCY_BOUNDS_MS)
        """How long sets waited in the join, from their first record."""
        self.forgotten: Counter[Forgotten] = Counter()
        """Lanes and ids forgotten because there were too many."""
        self.n_suspect_pairs = 0
        self.n_redone = 0
        """Published decisions of an earlier owner, which may be repeats with the same id."""
        self.n_void_batches = 0
        self.n_claims = 0
        """Own claims that became current, renewals included."""
        self.n_lost_claims = 0
        """How often another owner's claim became current instead."""
        self.n_snapshots = 0

    def confirmed(self, decisions: Iterable[Decision]) -> None:
        """Count valid decisions that were read back."""
        for decision in decisions:
            if isinstance(decision, RunDecision):
                self.decisions[decision.outcome, decision.reason] += decision.last_offset - decision.first_offset + 1
            elif isinstance(decision, ClosedDecision):
                self.decisions["closed", "shared"] += 1
            else:
                self.decisions[_KINDS[type(decision)], decision.reason] += 1

    def published(self, task: Task, *, redone: bool) -> None:
        """Count a task whose outputs are all on the broker, and set its records' outcome."""
        self.n_redone += redone
        decision, outcome = task.decision, self._count(task)
        if isinstance(decision, SetDecision) and outcome == "fused":
            self.sets[decision.outcome] += 1
        elif isinstance(decision, SetDecision):
            self.sets["failed"] += 1
        for held in task.records:
            if held is not None and held.outcome != "fused":  # a shared member may be in a failed set too
                held.outcome = outcome

    def _count(self, task: Task) -> RecordOutcome:
        decision = task.decision
        if isinstance(decision, SetDecision) and task.failed is None:
            return "fused"
        if isinstance(decision, UnfusedDecision) or (
            isinstance(decision, RunDecision) and decision.outcome == "unfused"
        ):
            self.unfused[task.keys[0][0], decision.reason] += 1
            return "unfused"
        for held in task.records:
            if held is not None:
                rejected = held.record.rejected if held.record else None
                reason = task.failed or decision.reason
                self.dead_letters[rejected.reason if rejected and task.failed else reason] += 1
        return "deadletter"
