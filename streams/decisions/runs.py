"""Neighbouring records with one outcome as one entry, so that a flood of late or broken ones stays small in the log."""

from __future__ import annotations

from collections.abc import Sequence

from streams.join.model import MOVES_NO_WATERMARK, DeadLetterDecision, Decision, RunDecision, UnfusedDecision

SHORTEST_RUN = 16
"""Shorter runs are left as they are: their entries say more (by how much a record was late)."""


def with_runs(decisions: Sequence[Decision]) -> list[Decision]:
    """The same outcomes, with each run of at least `SHORTEST_RUN` neighbouring offsets as a `RunDecision`."""
    merged: list[Decision] = []
    run: list[Decision] = []
    last: tuple[str, int, str, str] | None = None
    for decision in decisions:
        now = _run_key(decision)
        if now is None or last is None or now != (last[0], last[1] + 1, last[2], last[3]):
            merged.extend(_close(run))
            run = []
        if now is None:
            merged.append(decision)
        else:
            run.append(decision)
        last = now
    return [*merged, *_close(run)]


def _run_key(decision: Decision) -> tuple[str, int, str, str] | None:
    if isinstance(decision, UnfusedDecision) and decision.reason in MOVES_NO_WATERMARK:
        return decision.item.topic, decision.item.offset, "unfused", decision.reason
    if isinstance(decision, DeadLetterDecision) and decision.item is None:
        return decision.topic, decision.offset, "deadletter", decision.reason
    return None


def _close(run: list[Decision]) -> list[Decision]:
    if len(run) < SHORTEST_RUN:
        return run
    first, last = _run_key(run[0]), _run_key(run[-1])
    if first is None or last is None:
        return run
    outcome = "unfused" if first[2] == "unfused" else "deadletter"
    return [RunDecision(first[0], first[1], last[1], outcome, first[3])]
