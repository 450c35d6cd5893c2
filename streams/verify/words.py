"""Records, decisions and lanes in the words of a violation's sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.join.model import (
    ClosedDecision,
    DeadLetterDecision,
    Decision,
    Item,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)
from streams.verify.fact import Fact
from streams.verify.report import Place

MAX_NAMED = 12


def say(things: Iterable[Place | str]) -> str:
    """Records as `media.image@12`, lanes as they are; `nothing` where there is none."""
    words = [thing if isinstance(thing, str) else f"{thing[0]}@{thing[1]}" for thing in things]
    if len(words) > MAX_NAMED:
        words = [*words[:MAX_NAMED], f"and {len(words) - MAX_NAMED} more"]
    return ", ".join(words) or "nothing"


def places_of(items: Iterable[Item]) -> list[Place]:
    """Where items' records are."""
    return [(item.topic, item.offset) for item in items]


def in_words(decision: Decision) -> str:
    """A decision in short: what, of which records, and why."""
    if isinstance(decision, SetDecision):
        missing = f" without {say(decision.missing)}" if decision.missing else ""
        return f"set {say(places_of(decision.members))}{missing} by {decision.reason}"
    if isinstance(decision, UnfusedDecision):
        return f"{decision.reason} {say(places_of([decision.item]))}"
    if isinstance(decision, ClosedDecision):
        return f"closed {say(places_of([decision.item]))}"
    if isinstance(decision, DeadLetterDecision):
        return f"dead letter {decision.topic}@{decision.offset} ({decision.reason})"
    if isinstance(decision, RunDecision):
        return f"{decision.outcome} {decision.topic}@{decision.first_offset}-{decision.last_offset} ({decision.reason})"
    return f"failed set {say(decision.members)} ({decision.reason})"


def say_lane(facts: Sequence[Fact]) -> str:
    """What keeps the first of these records that cannot join out of the join."""
    for fact in facts:
        if fact.joins or fact.item is None:
            continue
        item = fact.item
        where = f"{say([fact.place])} of lane {item.lane} at {item.time_ms}"
        if not fact.expected:
            return f"{where} is of no lane that the stream waits for"
        if fact.late:
            return f"{where} is late: the watermark was {fact.late_limit_ms}"
        return f"{where} is a duplicate" if fact.duplicate else f"{where} has another decision in the log"
    return ""
