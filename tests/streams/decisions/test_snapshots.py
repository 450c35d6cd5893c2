"""Snapshots: cut into parts, whole again, and what they remember."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from streams.decisions.checkpoint_state import CheckpointState
from streams.decisions.entries import ResolvedRun, SnapshotPart
from streams.decisions.ownership import LogValidator
from streams.decisions.recovery import Recovered
from streams.decisions.snapshots import REFRESH_MS, STEP_BYTES, THINGS_A_STEP, Snapshot, SnapshotWriter, State
from streams.join.lane_clock import LaneState
from streams.join.settings import JoinSettings
from tests.support.joining import item, states_of

TOO_LARGE = 512 * 1024


def _snapshot(
    clocks: Sequence[LaneState] = (), bounds: Mapping[str, int] = {}, resolved: Sequence[ResolvedRun] = ()
) -> Snapshot:
    return Snapshot(State({"media.image": 3}, clocks, bounds.items(), resolved, (0, -1, None), 0))


def _cut(snapshot: Snapshot) -> list[SnapshotPart]:
    """All parts, with the numbers from 1 on."""
    while not snapshot.whole:
        snapshot.cut()
    parts: list[SnapshotPart] = []
    while not snapshot.gone:
        parts.append(snapshot.next_part(1 + len(parts)))
    return parts


def _parts(clocks: list[LaneState], bounds: dict[str, int]) -> list[SnapshotPart]:
    return _cut(_snapshot(clocks, bounds))


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
    settled = CheckpointState(settings)
    settled.restore(Recovered(LogValidator(), parts, [], {}))
    assert states_of(settled.clocks) == [lane]
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
    writer.begin(_snapshot())
    assert writer.next_part(1) is None
    writer.cut()
    assert writer.next_part(1) is not None
    writer.ask()
    assert not writer.due(REFRESH_MS)
    writer.let_others_go()
    assert writer.due(REFRESH_MS)


def test_many_runs_fit_in_parts_that_a_broker_takes() -> None:
    """Every second of 200,000 held records may be resolved."""
    runs = [ResolvedRun("media.image", 2 * n, 2 * n) for n in range(100_000)]
    parts = _cut(_snapshot(resolved=runs))
    assert max(len(msgspec.msgpack.encode(part)) for part in parts) < TOO_LARGE
    assert [run for part in parts for run in part.resolved] == runs


def test_a_step_of_cutting_is_bounded_in_things_and_bytes() -> None:
    """Between two steps everything else has its turn: 100,000 streams, and one lane with very many ids."""
    many = LaneState("s", "image", "media.image", 60_000, 1, tuple((n, n) for n in range(60_000)))
    lanes = [LaneState(f"stream-{n}", "image", "media.image", n, n, ((n, n),)) for n in range(100_000)]
    for clocks, least in (([many], 60_000 * 6 // STEP_BYTES), (lanes, 100_000 // THINGS_A_STEP)):
        snapshot, n_steps = _snapshot(clocks), 0
        while not snapshot.whole:
            snapshot.cut()
            n_steps += 1
        assert n_steps > least


def test_no_part_goes_before_the_whole_is_cut() -> None:
    """Each part says how many there are."""
    writer = SnapshotWriter(0)
    writer.ask()
    writer.renew(0)
    writer.begin(_snapshot([LaneState(f"s{n}", "image", "media.image", n, n) for n in range(2 * THINGS_A_STEP)]))
    n_cuts = 0
    while writer.cutting:
        assert writer.next_part(1) is None
        assert writer.busy
        writer.cut()
        n_cuts += 1
    assert n_cuts > 2
    assert writer.next_part(1) is not None
    assert not writer.busy


def test_a_snapshot_that_is_asked_for_takes_the_place_of_one_that_is_being_cut() -> None:
    """Before handing over: it names what is resolved by now. One that is merely due waits."""
    writer = SnapshotWriter(0, every_decisions=10)
    writer.renew(0)
    writer.begin(_snapshot([LaneState(f"s{n}", "image", "media.image", n, n) for n in range(2 * THINGS_A_STEP)]))
    writer.cut()
    writer.let_others_go()
    writer.count(100)
    assert not writer.due(REFRESH_MS)
    writer.ask()
    assert writer.due(0)
    writer.renew(0)
    assert not writer.cutting


def test_decisions_go_on_while_a_snapshot_is_cut_and_it_says_what_was_true_at_its_claim() -> None:
    """Clocks and bounds that change afterwards are not in it."""
    settled = CheckpointState(JoinSettings())
    settled.bounds["s0"], settled._bound_at["s0"] = 5, 7
    for n in range(10):
        settled.clocks.move(item("image", 1_000, n, stream=f"s{n}"))
    before = states_of(settled.clocks)
    snapshot = Snapshot(State({}, settled.clocks.capture().rows(), settled.live_bounds(0), (), (0, -1, None), 0), 1)
    snapshot.cut()
    for n in range(10):
        settled.clocks.move(item("image", 2_000, 10 + n, stream=f"s{n}"))
        settled.clocks.move(item("image", 2_000, 20 + n, stream=f"s{n}"))  # another id of the same time
    settled.bounds["s0"] = 9
    (part,) = _cut(snapshot)
    assert (part.clocks, part.bounds) == (before, {"s0": 5})


def test_bounds_of_streams_that_no_clock_remembers_are_dropped() -> None:
    """Unless a reader of the log may ask for them."""
    settled = CheckpointState(JoinSettings())
    for stream, log_offset in (("gone", 1), ("new", 5), ("live", 1)):
        settled.bounds[stream], settled._bound_at[stream] = 1, log_offset
    settled.clocks.move(item("image", 1_000, 0, stream="live"))
    settled.forget_bounds(5)
    assert set(settled.bounds) == {"new", "live"}
