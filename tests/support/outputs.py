"""The output topics of a simulated world, as a consumer of them sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streams.decisions.records import Task
from streams.join.items import DeadLetterDecision, RunDecision, SetDecision, UnfusedDecision

Key = tuple[str, int]
"""(topic, offset) of a media record."""


@dataclass(frozen=True)
class Output:
    """One outcome; two outputs are repeats of each other exactly if they are equal."""

    kind: str
    """`fused`, `unfused`, `deadletter`."""
    members: tuple[Key, ...]
    reason: str
    stream: str = ""
    start_ms: int = 0
    outcome: str = ""
    missing: tuple[str, ...] = ()
    set_members: tuple[Key, ...] = ()
    """For dead letters of a failed set: the members of the set."""


def outputs_of(task: Task) -> Iterator[Output]:
    """What a task publishes: one output for a set or a single record, one a member for a set that failed."""
    decision, keys = task.decision, tuple(task.keys)
    if isinstance(decision, SetDecision) and task.failed is None:
        yield Output(
            "fused", keys, decision.reason, decision.stream, decision.start_ms, decision.outcome, decision.missing
        )
    elif isinstance(decision, SetDecision):
        for held in task.records:
            if held is not None:
                key = ((held.topic, held.offset),)
                yield Output("deadletter", key, task.failed or "", decision.stream, set_members=keys)
    elif task.records[0] is None:
        return  # deleted before its outcome was published: nothing is left to send
    elif isinstance(decision, UnfusedDecision):
        yield Output("unfused", keys, decision.reason)
    elif isinstance(decision, RunDecision):
        yield Output(decision.outcome, keys, decision.reason)
    elif isinstance(decision, DeadLetterDecision):
        yield Output("deadletter", keys, decision.reason)
