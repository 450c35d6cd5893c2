"""Runs records through a `PartitionJoin` and says what came out in a form that is easy to compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.join.clocks import Clocks
from streams.join.items import ClosedDecision, Item, JoinDecision, SetDecision, UnfusedDecision
from streams.join.lane_clock import LaneClock, LaneState
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from tests.support.logs import LogRecord
from tests.support.oracle import Key, OracleSet, key

MINUTE_MS = 60_000


def item(lane: str, time_ms: int, offset: int, *, stream: str = "s", duration_ms: int = 0, **fields: int) -> Item:
    """An item of a lane that is named as its modality; its id is its offset unless `id_hash` is given."""
    id_hash = fields.get("id_hash", offset)
    append_ms = fields.get("append_ms", time_ms)
    return Item(stream, lane, f"media.{lane}", offset, time_ms, time_ms + duration_ms, id_hash, append_ms)


def feed(join: PartitionJoin, record: LogRecord, now_ms: int) -> None:
    """Hand one record to the join, as the owner of a partition does."""
    if record.decodable:
        join.add(record.item, now_ms)
    else:
        join.observe(record.item, now_ms)
    join.joined(record.item.topic, record.item.offset + 1, now_ms)


def run(
    records: Iterable[LogRecord], settings: JoinSettings, every: int = 1
) -> tuple[PartitionJoin, list[JoinDecision]]:
    """All records, deciding after each `every` of them; no time passes, so no timer fires."""
    join = PartitionJoin(settings)
    decisions: list[JoinDecision] = []
    for n, record in enumerate(records):
        feed(join, record, 0)
        if n % every == every - 1:
            decisions += join.decide(0)
    return join, decisions + join.decide(0)


def run_timeline(settings: JoinSettings, rows: Iterable[tuple[str, int] | tuple[str, int, int]]) -> list[str]:
    """What comes of rows (lane, time_ms, perhaps duration_ms) in the order of their arrival, as `shapes_of` says it."""
    records = [
        LogRecord(item(lane, time_ms, offset, duration_ms=duration[0] if duration else 0))
        for offset, (lane, time_ms, *duration) in enumerate(rows)
    ]
    return shapes_of(run(records, settings)[1])


def pass_time(join: PartitionJoin, now_ms: int, high_water: dict[str, int]) -> list[JoinDecision]:
    """Decide at `now_ms`, with a broker that answers at once what is asked, and what is asked after that."""
    decisions = join.decide(now_ms)
    asked: set[str] = set()
    while topics := join.timer_topics() - asked:
        asked |= topics
        for topic in topics:
            join.high_water(topic, high_water.get(topic, 0), now_ms, now_ms)
        decisions += join.decide(now_ms)
    return decisions


def next_deadline_ms(join: PartitionJoin) -> int | None:
    """When a timer's deadline comes next; None if no timer runs towards one."""
    return join._timers._heap[0][0] if join._timers._heap else None


def states_of(clocks: Clocks) -> list[LaneState]:
    """All lanes that are still remembered, as a snapshot has them."""
    return [row.state() if isinstance(row, LaneClock) else row for row in clocks.capture().rows()]


def run_out(join: PartitionJoin, now_ms: int, high_water: dict[str, int]) -> list[JoinDecision]:
    """Let time pass until nothing is undecided."""
    decisions: list[JoinDecision] = []
    for _ in range(10_000):
        decisions += pass_time(join, now_ms, high_water)
        if not join.n_undecided:
            return decisions
        now_ms = max(now_ms + 1, next_deadline_ms(join) or 0)
    raise AssertionError(f"{join.n_undecided} items are still undecided")


def high_waters(records: Sequence[LogRecord]) -> dict[str, int]:
    """Each topic's high watermark once all records are in it."""
    return {record.item.topic: record.item.offset + 1 for record in sorted(records, key=lambda r: r.item.offset)}


def sets_of(decisions: Iterable[JoinDecision]) -> dict[str, list[OracleSet]]:
    """The sets by stream, in the order in which they were decided."""
    sets: dict[str, list[OracleSet]] = {}
    for decision in decisions:
        if isinstance(decision, SetDecision):
            members = tuple(map(key, decision.members))
            found = OracleSet(decision.stream, decision.start_ms, members, decision.missing)
            sets.setdefault(decision.stream, []).append(found)
    return sets


def singles_of(decisions: Iterable[JoinDecision]) -> dict[Key, str]:
    """The outcome of each record that is decided by itself."""
    singles: dict[Key, str] = {}
    for decision in decisions:
        if isinstance(decision, UnfusedDecision | ClosedDecision):
            assert key(decision.item) not in singles, f"{decision} is the second outcome of its record"
            singles[key(decision.item)] = decision.reason if isinstance(decision, UnfusedDecision) else "closed"
    return singles


def shapes_of(decisions: Iterable[JoinDecision]) -> list[str]:
    """Sets as `reason: lane@time ...`, the rest as `reason lane@time`: for tests with few items."""
    shapes: list[str] = []
    for decision in decisions:
        if isinstance(decision, SetDecision):
            members = " ".join(f"{member.lane}@{member.time_ms}" for member in decision.members)
            shapes.append(f"{decision.reason}: {members}")
        elif isinstance(decision, UnfusedDecision):
            shapes.append(f"{decision.reason} {decision.item.lane}@{decision.item.time_ms}")
        else:
            shapes.append(f"closed {decision.item.lane}@{decision.item.time_ms}")
    return shapes
