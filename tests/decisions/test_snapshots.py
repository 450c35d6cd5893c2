"""Snapshots: cut into parts, whole again, and what they remember."""

from __future__ import annotations

import msgspec

from streams.decisions.entries import ResolvedRun, SnapshotPart
from streams.decisions.recovery import Recovered
from streams.decisions.settled import SettledState
from streams.decisions.snapshot_writer import REFRESH_MS, SnapshotWriter, snapshot_parts
from streams.decisions.view import LogView
from streams.join.clocks import LaneState
from streams.join.settings import JoinSettings

TOO_LARGE = 512 * 1024


def _parts(clocks: list[LaneState], bounds: dict[str, int]) -> list[SnapshotPart]:
    return snapshot_parts({"media.image": 3}, clocks, bounds, (), (0, -1, None), 0, 1)


def test_a_hundred_thousand_streams_fit_in_parts_that_a_broker_takes() -> None:
    """Bounds are cut as clocks are: after a time-out of every stream they are as many."""
    clocks = [LaneState(f"stream-{n}", "image", "media.image", n, n, ((n, n),)) for n in range(100_000)]
    parts = _parts(clocks, {f"stream-{n}": n for n in range(100_000)})
    assert max(len(msgspec.msgpack.encode(part)) for part in parts) < TOO_LARGE
    assert [part.part for part in parts] == list(range(len(parts)))
    assert {part.n_parts for part in parts} == {len(parts)}


def test_bounds_of_long_names_fit_in_parts_that_a_broker_takes() -> None:
    """A name of 256 characters takes up to 1,024 bytes: they are cut by what they take, not by characters."""
    parts = _parts([], {"\U0001f600" * 255 + chr(0x4E00 + n): 2**50 for n in range(3_000)})
    assert max(len(msgspec.msgpack.encode(part)) for part in parts) < TOO_LARGE
    assert sum(len(part.bounds) for part in parts) == 3_000


def test_a_lane_with_many_ids_comes_back_whole() -> None:
    """Sixty thousand ids inside `out_of_order_ms` are more than one part holds."""
    settings = JoinSettings(out_of_order_ms={"image": 60_000})
    lane = LaneState("s", "image", "media.image", 60_000, 1, tuple((n, n) for n in range(60_000)))
    parts = _parts([lane], {"s": 7})
    assert max(len(msgspec.msgpack.encode(part)) for part in parts) < TOO_LARGE
    settled = SettledState(settings)
    settled.restore(Recovered(LogView(), parts, [], {}))
    assert settled.clocks.export() == [lane]
    assert settled.bounds == {"s": 7}


def test_nothing_remembered_is_one_empty_part() -> None:
    """A snapshot without parts could not be found."""
    assert len(_parts([], {})) == 1


def test_an_idle_partition_refreshes_its_snapshot_before_retention_takes_it() -> None:
    """Else the log would be empty one day, beside committed offsets."""
    writer = SnapshotWriter(0, every_decisions=10, every_ms=100)
    assert not writer.due(REFRESH_MS - 1)
    assert writer.due(REFRESH_MS)


def test_a_snapshot_is_due_after_many_decisions_or_a_while() -> None:
    """And not that soon if nothing was decided."""
    writer = SnapshotWriter(0, every_decisions=10, every_ms=100)
    assert not writer.due(1_000)
    writer.count(1)
    assert not writer.due(99)
    assert writer.due(100)
    writer.count(9)
    assert writer.due(0)
    writer.renew(100)
    assert not writer.due(150)


def test_two_snapshots_never_follow_each_other_without_a_turn_for_decisions() -> None:
    """On a broker so slow that the next is due when one is done, batches still get into the log."""
    writer = SnapshotWriter(0)
    writer.ask()
    assert writer.due(0)
    writer.renew(0)
    writer.begin(_parts([], {}))
    assert writer.next_part() is not None
    writer.ask()
    assert not writer.due(REFRESH_MS)
    writer.let_others_go()
    assert writer.due(REFRESH_MS)


def test_many_runs_fit_in_parts_that_a_broker_takes() -> None:
    """Every second of 200,000 held records may be resolved."""
    runs = [ResolvedRun("media.image", 2 * n, 2 * n) for n in range(100_000)]
    parts = snapshot_parts({"media.image": 3}, [], {}, runs, (0, -1, None), 0, 1)
    assert max(len(msgspec.msgpack.encode(part)) for part in parts) < TOO_LARGE
    assert [run for part in parts for run in part.resolved] == runs
