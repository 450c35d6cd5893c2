"""What a decision says of records: which it names, and whether their items moved their lane's watermark."""

from __future__ import annotations

from collections.abc import Sequence

from streams.join.model import (
    MOVES_NO_WATERMARK,
    ClosedDecision,
    DeadLetterDecision,
    Decision,
    FailedDecision,
    Item,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)

Key = tuple[str, int]
"""(topic, offset) of a record inside its partition number."""


def keys_of(decision: Decision) -> list[Key]:
    """The records that a decision ends or names, in its own order; none for `failed`, which names a set."""
    if isinstance(decision, SetDecision):
        return [(item.topic, item.offset) for item in decision.members]
    if isinstance(decision, UnfusedDecision | ClosedDecision):
        return [(decision.item.topic, decision.item.offset)]
    if isinstance(decision, DeadLetterDecision):
        return [(decision.topic, decision.offset)]
    if isinstance(decision, RunDecision):
        return [(decision.topic, offset) for offset in range(decision.first_offset, decision.last_offset + 1)]
    return []


def moves_nothing(decision: Decision) -> bool:
    """Whether the records of a decision left their lane's watermark where it was."""
    if isinstance(decision, DeadLetterDecision):
        return decision.item is None
    return isinstance(decision, RunDecision | UnfusedDecision) and decision.reason in MOVES_NO_WATERMARK


def moving_items(decision: Decision) -> Sequence[Item]:
    """Items of a decision that moved their lane's watermark."""
    if isinstance(decision, SetDecision):
        return decision.members
    if isinstance(decision, ClosedDecision):
        return (decision.item,)
    if isinstance(decision, UnfusedDecision):
        return () if moves_nothing(decision) else (decision.item,)
    if isinstance(decision, DeadLetterDecision) and decision.item is not None:
        return (decision.item,)
    return ()


def covered_ms(decision: SetDecision, size_ms: int) -> tuple[int, int]:
    """What a set covers in ms since 1970; `size_ms`: the window's length where the decision does not say its end."""
    if decision.strategy == "tumbling":
        return decision.start_ms, decision.end_ms or decision.start_ms + size_ms
    return min(item.time_ms for item in decision.members), max(item.end_ms for item in decision.members)


def named_item(decision: Decision, index: int) -> Item | None:
    """The item of the record that a decision names in this place of `keys_of`, where the log tells it."""
    if isinstance(decision, SetDecision):
        return decision.members[index]
    return None if isinstance(decision, RunDecision | FailedDecision) else decision.item
