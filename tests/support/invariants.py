"""What must be true of an owner whenever it has been asked for its commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from streams.decisions.former_counts import other_counts
from streams.decisions.records import Commands

if TYPE_CHECKING:
    from tests.support.sim_worker import SimWorker
    from tests.support.simulator import World


def wrongly_acknowledged(world: World, commands: Commands) -> Iterator[str]:
    """Nobody acknowledges above a record that has no outcome on the broker."""
    for topic, stop in commands.acknowledge.items():
        for offset in range(world.committed[topic], stop):
            record = world.media[topic][offset]
            if record is None or offset < world.media_start[topic] or (topic, offset) in world.has_outcome:
                continue
            yield f"{topic}@{offset} was acknowledged without an outcome (up to {stop})"


def wrongly_placed(world: World, worker: SimWorker, topic: str, offsets: Iterable[int]) -> Iterator[str]:
    """Whoever reads a record knows the number of partitions by which it was placed, unless that is newer."""
    for offset in offsets:
        first = next((one for one in world.grown if offset < one.below[topic]), None)
        by = world.n_partitions if first is None else first.n_partitions
        known = [worker.n_partitions, *other_counts(worker.owner.placed, topic, offset)]
        if by < worker.n_partitions and by not in known:
            yield f"{topic}@{offset} was placed by {by} partitions, and {worker.name} judges it by {known}"


def broken_invariants(world: World, worker: SimWorker) -> Iterator[str]:
    """Counters add up with what is pending, and no more is read than the limits allow."""
    holds = worker.owner.in_flight
    n_held = n_bytes = n_on_its_way = 0
    for hold in holds.topics.values():
        for one in hold:
            if one.record is None:
                yield f"{worker.name} keeps {one.topic}@{one.offset}, which is resolved"
            else:
                n_held += 1
                n_bytes += one.record.n_bytes
                n_on_its_way += one.on_its_way
        n_kept = sum(one.kept.n_items for one in hold if one.kept is not None)
        if n_kept != hold.n_kept_items or n_kept != sum(len(list(one.kept)) for one in hold if one.kept is not None):
            yield f"{worker.name} counts {hold.n_kept_items} kept of {hold.topic}, and keeps {n_kept}"
    if (n_held, n_bytes) != holds.held:
        yield f"{worker.name} counts {holds.held} held, and holds {n_held} of {n_bytes} bytes"
    if n_on_its_way != holds.on_its_way.events:
        yield f"{worker.name} counts {holds.on_its_way.events} on their way, and {n_on_its_way} are"
    counters = holds.counters
    if counters.taken.total() != counters.let_go.total() + n_held:
        yield f"{worker.name} took {counters.taken}, let go {counters.let_go} and holds {n_held}"
    world.max_held = max(world.max_held, n_held)
    yield from _over_the_limit(world, worker)


def _over_the_limit(world: World, worker: SimWorker) -> Iterator[str]:
    settings, n_counted = worker.settings, worker.owner.in_flight.load.events
    hard = settings.max_held_events * settings.hard_limit_factor
    reads_freely = worker.readable - worker.owner.execution.awaited_topics()
    if n_counted > hard and reads_freely:
        yield f"{worker.name} ({worker.owner.state}) holds {n_counted}, over {hard}, and reads {sorted(reads_freely)}"
