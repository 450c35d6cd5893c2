"""Judges a simulated world after its run, from its media and outputs, and from what its owner still remembers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from streams.decisions.entries import Batch, decode_entry, keys_of
from streams.decisions.ownership import LogValidator
from streams.join.items import DeadLetterDecision, Decision, SetDecision, UnfusedDecision
from streams.join.partition import PartitionJoin
from tests.support.driven import records_of
from tests.support.outputs import Key, Output
from tests.support.simulator import World
from tests.support.worlds import LONG_MS

Outcome = tuple[str, tuple[Key, ...]]
"""(kind, members): what became of one record."""


def violations(world: World) -> list[str]:
    """What breaks laws 2, 3, 7, 8 or 9, in words; empty if nothing does."""
    problems = list(dict.fromkeys(world.problems))
    problems += _unfinished(world)
    problems += _not_one_outcome(world)
    problems += _differing_repeats(world)
    problems += _out_of_order(world)
    problems += _remembered(world)
    if not world.faults_touched_media:
        problems += _unlike_a_run_without_crashes(world)
    return problems


def violations_of_changed_settings(world: World) -> list[str]:
    """What breaks law 2, 3 or 7 where workers had different settings: nothing is decided anew by others."""
    problems = [*dict.fromkeys(world.problems), *_unfinished(world), *_differing_repeats(world), *_remembered(world)]
    found, ended_by = outcomes(world), _ended_by(world)
    for topic, records in world.media.items():
        for offset, record in enumerate(records):
            if record is None:
                continue
            ends = found.get((topic, offset), set())
            # A set that shares its member leaves it open; whatever else names it ends it, at most once.
            if not ends or len(ended_by[topic, offset]) > 1 or (len(ends) > 1 and any(k != "fused" for k, _ in ends)):
                problems.append(f"{topic}@{offset} has outcomes {sorted(ends)}, ended by {ended_by[topic, offset]}")
    return problems


def _ended_by(world: World) -> dict[Key, list[Decision]]:
    """The valid decisions that end each record; one that a set leaves open (`share`) is not ended by it."""
    view, ended = LogValidator(), defaultdict[Key, list[Decision]](list)
    for record in records_of(world.log):
        entry = decode_entry(record)
        if view.apply(record.offset, entry) == "valid" and isinstance(entry, Batch):
            for decision in entry.decisions:
                still_open = decision.open_members if isinstance(decision, SetDecision) else ()
                for index, key in enumerate(keys_of(decision)):
                    if index not in still_open:
                        ended[key].append(decision)
    return ended


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


def _unfinished(world: World) -> Iterator[str]:
    if world.committed != world.ends:
        yield f"stuck: committed {world.committed} of {world.ends}"


def _not_one_outcome(world: World) -> Iterator[str]:
    """Laws 2 and 3: each record has one outcome, or with `share` is in several sets; a deleted one has at most one."""
    found = outcomes(world)
    shares = world.settings.strategy == "nearest" and world.settings.share
    for topic, records in world.media.items():
        for offset, record in enumerate(records):
            if record is None:
                continue
            ends = found.get((topic, offset), set())
            is_shared = shares and all(kind in ("fused", "failed") for kind, _ in ends)
            may_be_gone = offset < world.media_start[topic]
            if not (len(ends) == 1 or (not ends and may_be_gone) or (ends and (is_shared or _spoilt(world, topic)))):
                yield f"{topic}@{offset} has {len(ends)} outcomes: {sorted(ends)}"


def _spoilt(world: World, topic: str) -> bool:
    """With `share` a member may be in a set first and undecodable when it is read again, to join further ones."""
    shares = world.settings.strategy == "nearest" and world.settings.share
    return shares and any(spoilt == topic for spoilt, _ in world.spoilt)


def _with_unjudged_records(world: World) -> set[str]:
    """Streams of which retention took a record that had no outcome: nobody knows any more how far it moved its lane."""
    found = outcomes(world)
    return {
        record.item.stream
        for topic, records in world.media.items()
        for record in records[: world.media_start[topic]]
        if record is not None and record.item is not None and (topic, record.offset) not in found
    }


def _differing_repeats(world: World) -> Iterator[str]:
    """Repeats of one output are equal; dead letters of one set have one reason."""
    first: dict[tuple[str, tuple[Key, ...], tuple[Key, ...]], Output] = {}
    for output in world.outputs:
        known = first.setdefault((output.kind, output.members, output.set_members), output)
        if known != output:
            yield f"published again with a difference: {known} and {output}"


def _out_of_order(world: World) -> Iterator[str]:
    """Law 8: a stream's sets are first published in the order of their start, but for one that was forgotten."""
    if _forgets_streams(world):
        return
    after_silence = _after_silence(world)
    newest: dict[str, int] = {}
    seen: set[tuple[Key, ...]] = set()
    unjudged = _with_unjudged_records(world)
    for output in world.outputs:
        if output.kind != "fused" or output.members in seen or output.stream in unjudged:
            continue
        seen.add(output.members)
        is_early = output.start_ms < newest.get(output.stream, output.start_ms)
        if is_early and after_silence.isdisjoint(output.members):
            yield f"{output.stream}: set at {output.start_ms} first published after {newest[output.stream]}"
        newest[output.stream] = output.start_ms


def _after_silence(world: World) -> set[Key]:
    """The records before which nothing that moved a lane of their stream had come for longer than streams are known.

    A clock may have been set back meanwhile: what such a record opens need not stand behind what was decided before.
    """
    found, ttl_ms = outcomes(world), world.settings.stream_ttl_ms
    moved: dict[str, list[tuple[int, Key]]] = defaultdict(list)
    for topic, records in world.media.items():
        for record in records:
            if record is not None and record.item is not None:
                ends = {kind for kind, _ in found.get((topic, record.offset), ())}
                if ends and not ends & {"unfused:late", "unfused:unexpected"}:
                    moved[record.item.stream].append((record.item.append_ms, (topic, record.offset)))
    after: set[Key] = set()
    for heard in moved.values():
        heard.sort()
        after |= {key for (before_ms, _), (at_ms, key) in pairwise(heard) if at_ms - before_ms > ttl_ms}
    return after


def _forgets_streams(world: World) -> bool:
    """Whether more streams come than are remembered: one lane of a stream may then be forgotten before another."""
    return world.settings.max_streams < 2


def _remembered(world: World) -> Iterator[str]:
    """Law 7: when all is resolved the owner holds nothing, whatever went wrong on the way."""
    worker = world.current
    if worker is None or world.committed != world.ends:
        return
    owner = worker.owner
    carry_out, join = owner.execution, owner.join
    left = {
        "held": owner.in_flight.held.events,
        "bytes": owner.in_flight.held.n_bytes,
        "on their way": owner.in_flight.on_its_way.events,
        "records": sum(len(list(hold)) for hold in owner.in_flight.topics.values()),
        "kept": sum(hold.n_kept for hold in owner.in_flight.topics.values()),
        "awaited": sum(carry_out.n_awaited(topic) for topic in owner.in_flight.topics),
        "sets that have not been published": len(list(carry_out._publish_order)),
        "undecided": join.n_undecided if join is not None else 0,
        "streams": len(join._streams) if join is not None else 0,
    }
    yield from (f"{n} {what} left at the end" for what, n in left.items() if n)


def _unlike_a_run_without_crashes(world: World) -> Iterator[str]:
    """Law 9, where no timer or pressure decided: whatever the logs alone decide was decided so."""
    if world.settings.max_wait_ms < LONG_MS or world.settings.max_held_events < 1_000 or _forgets_streams(world):
        return
    expected = decided_by_logs(world)
    found = {outcome for ends in outcomes(world).values() for outcome in ends}
    yield from (f"a run without crashes has {outcome}" for outcome in sorted(expected - found))


def decided_by_logs(world: World) -> set[Outcome]:
    """What the join decides of the whole logs when nothing goes wrong and no time passes."""
    join = PartitionJoin(world.settings)
    decided: list[Decision] = []
    for topic, records in world.media.items():
        for record in records:
            if record is not None and record.rejected is not None:
                decided.append(DeadLetterDecision(topic, record.offset, record.rejected.reason, record.item))
                if record.item is not None:
                    join.observe(record.item, 0)
            elif record is not None and record.item is not None:
                join.add(record.item, 0)
    return {outcome for decision in [*decided, *join.decide(0)] for outcome in _outcome_of(decision)}


def _outcome_of(decision: Decision) -> Iterator[Outcome]:
    if isinstance(decision, SetDecision):
        yield "fused", tuple((item.topic, item.offset) for item in decision.members)
    elif isinstance(decision, UnfusedDecision):
        yield f"unfused:{decision.reason}", ((decision.item.topic, decision.item.offset),)
    elif isinstance(decision, DeadLetterDecision):
        yield f"deadletter:{decision.reason}", ((decision.topic, decision.offset),)
