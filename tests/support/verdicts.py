"""Judges what a simulated world has put out, from its outputs and media alone."""

from __future__ import annotations

from collections import defaultdict

from streams.decisions.records import Record
from streams.join.model import DeadLetterDecision, Decision, SetDecision, UnfusedDecision
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from tests.support.simulator import Output, World

Key = tuple[str, int]
Outcome = tuple[str, tuple[Key, ...]]
"""(kind, members): what became of one record."""


def outcomes(world: World) -> dict[Key, set[Outcome]]:
    """Every outcome of every record; a fused set wins over the dead letters of the same set."""
    fused = {output.members for output in world.outputs if output.kind == "fused"}
    found: dict[Key, set[Outcome]] = defaultdict(set)
    for output in world.outputs:
        if output.set_members in fused:
            continue
        for key in output.members:
            found[key].add(_outcome(output))
    return found


def _outcome(output: Output) -> Outcome:
    if output.set_members:
        return "failed", output.set_members
    return (output.kind if output.kind == "fused" else f"{output.kind}:{output.reason}"), output.members


def violations(world: World) -> list[str]:
    """What breaks laws 2, 3 and 8, in words; empty if nothing does."""
    found = outcomes(world)
    problems: list[str] = []
    for topic, records in world.media.items():
        for record in records:
            n_outcomes = len(found.get((topic, record.offset), ()))
            if n_outcomes != 1:
                problems.append(f"{topic}@{record.offset}: {n_outcomes} outcomes {found.get((topic, record.offset))}")
        if world.committed[topic] != len(records):
            problems.append(f"{topic}: committed {world.committed[topic]} of {len(records)}")
    return problems + _out_of_order(world)


def _out_of_order(world: World) -> list[str]:
    newest: dict[str, int] = {}
    seen: set[tuple[Key, ...]] = set()
    problems: list[str] = []
    for output in world.outputs:
        if output.kind != "fused" or output.members in seen:
            continue
        seen.add(output.members)
        if output.start_ms < newest.get(output.stream, output.start_ms):
            problems.append(f"{output.stream}: set at {output.start_ms} first published after {newest[output.stream]}")
        newest[output.stream] = output.start_ms
    return problems


def without_crashes(media: dict[str, list[Record]], settings: JoinSettings) -> set[Outcome]:
    """What the join decides of the same logs when nothing goes wrong and no timer fires."""
    join = PartitionJoin(settings)
    decided: list[Decision] = []
    for topic, records in media.items():
        for record in records:
            if record.rejected is not None:
                decided.append(DeadLetterDecision(topic, record.offset, record.rejected.reason, record.item))
                if record.item is not None:
                    join.observe(record.item, 0)
            elif record.item is not None:
                join.add(record.item, 0)
    decided += join.decide(0)
    return {_outcome_of(decision) for decision in decided}


def _outcome_of(decision: Decision) -> Outcome:
    if isinstance(decision, SetDecision):
        return "fused", tuple((item.topic, item.offset) for item in decision.members)
    if isinstance(decision, UnfusedDecision):
        return f"unfused:{decision.reason}", ((decision.item.topic, decision.item.offset),)
    if isinstance(decision, DeadLetterDecision):
        return f"deadletter:{decision.reason}", ((decision.topic, decision.offset),)
    raise TypeError(decision)
