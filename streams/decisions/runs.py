"""Neighbouring records with one outcome as one entry, so that a flood of late or broken ones stays small in the log."""

from __future__ import annotations

from collections import deque
from typing import Literal

from streams.join.model import MOVES_NO_WATERMARK, DeadLetterDecision, Decision, RunDecision, UnfusedDecision

SHORTEST_RUN = 16
"""Shorter runs are left as they are: their entries say more (by how much a record was late)."""


def take_run(decisions: deque[Decision]) -> RunDecision | None:
    """Take a run of at least `SHORTEST_RUN` neighbouring offsets from the front; None where there is none."""
    first = last = _run_key(decisions[0])
    length = 0
    for decision in decisions:
        if last is None or _run_key(decision) != last:
            break
        length += 1
        last = (last[0], last[1] + 1, last[2], last[3])
    if first is None or length < SHORTEST_RUN:
        return None
    for _ in range(length):
        decisions.popleft()
    topic, offset, outcome, reason = first
    return RunDecision(topic, offset, offset + length - 1, outcome, reason)


_RunKey = tuple[str, int, Literal["unfused", "deadletter"], str]


def _run_key(decision: Decision) -> _RunKey | None:
    if isinstance(decision, UnfusedDecision) and decision.reason in MOVES_NO_WATERMARK:
        return decision.item.topic, decision.item.offset, "unfused", decision.reason
    if isinstance(decision, DeadLetterDecision) and decision.item is None:
        return decision.topic, decision.offset, "deadletter", decision.reason
    return None
