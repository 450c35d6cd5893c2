"""Watermarks, memory of duplicates, forgetting, snapshots."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.join.clocks import Clocks
from streams.join.items import Item
from streams.join.lane_clock import NEVER_MS, LaneState
from streams.join.settings import JoinSettings
from tests.support.joining import item, states_of
from tests.support.logs import LogRecord
from tests.support.oracle import Key, Oracle, key

IN_ORDER = JoinSettings(stream_ttl_ms=1_000)
DISORDER = JoinSettings(stream_ttl_ms=1_000, out_of_order_ms={"text": 100})


def moved(clocks: Clocks, *items: Item) -> Clocks:
    for one in items:
        clocks.move(one)
    return clocks


def test_the_watermark_is_the_largest_time_minus_the_lanes_disorder() -> None:
    """It follows the maximum, not the newest, and never goes back."""
    clocks = moved(Clocks(DISORDER), item("text", 1_000, 0), item("text", 950, 1), item("image", 700, 0))
    assert clocks.watermark_ms("s", "text") == 900
    assert clocks.watermark_ms("s", "image") == 700
    assert clocks.watermark_ms("s", "audio") == NEVER_MS


@pytest.mark.parametrize(("time_ms", "verdict"), [(899, "late"), (900, None), (901, None)])
def test_late_is_strictly_below_the_watermark(time_ms: int, verdict: str | None) -> None:
    """An item at the watermark is in time."""
    clocks = moved(Clocks(DISORDER), item("text", 1_000, 0))
    assert clocks.judge(item("text", time_ms, 1)) == verdict


def test_an_id_at_the_watermark_is_remembered_and_one_below_is_not() -> None:
    """A duplicate is the id of a record at or above the watermark; ids below it may come again."""
    clocks = moved(Clocks(DISORDER), item("text", 900, 0, id_hash=7), item("text", 1_000, 1, id_hash=8))
    assert clocks.judge(item("text", 950, 2, id_hash=7)) == "duplicate"
    clocks.move(item("text", 1_001, 3, id_hash=9))
    assert clocks.judge(item("text", 950, 4, id_hash=7)) is None
    assert clocks.judge(item("text", 950, 4, id_hash=8)) == "duplicate"


def test_a_duplicate_with_a_later_time_is_remembered_by_that_time() -> None:
    """Else the third copy of a record would join, although the second is at the watermark."""
    clocks = moved(Clocks(DISORDER), item("text", 900, 0, id_hash=7), item("text", 950, 1, id_hash=7))
    clocks.move(item("text", 1_040, 2))
    assert clocks.judge(item("text", 990, 3, id_hash=7)) == "duplicate"
    clocks.move(item("text", 945, 4, id_hash=7))
    clocks.move(item("text", 1_050, 5))
    assert clocks.judge(item("text", 990, 6, id_hash=7)) == "duplicate"


def test_a_late_item_moves_nothing() -> None:
    """Neither the watermark, nor the memory, nor how long the lane is remembered."""
    clocks = moved(Clocks(IN_ORDER), item("text", 1_000, 0, append_ms=0))
    before = states_of(clocks)
    clocks.move(item("text", 999, 1, append_ms=900))
    assert states_of(clocks) == before


@pytest.mark.parametrize(("append_ms", "verdict"), [(1_000, "late"), (1_001, None)])
def test_a_lane_is_forgotten_after_the_ttl_of_its_own_log(append_ms: int, verdict: str | None) -> None:
    """More than the ttl between two records of the lane: the second starts anew, other lanes or none."""
    clocks = moved(Clocks(IN_ORDER), item("text", 5_000, 0, append_ms=0))
    late = item("text", 10, 1, append_ms=append_ms)
    assert clocks.judge(late) == verdict
    clocks.move(late)
    assert clocks.watermark_ms("s", "text") == (5_000 if verdict else 10)


def test_lanes_are_swept_when_their_topic_moves_on() -> None:
    """The sweep frees memory by the append times of the topic, of any stream, and of no other topic."""
    clocks = Clocks(IN_ORDER)
    for n in range(100):
        moved(clocks, item("text", 0, n, stream=f"s{n}", append_ms=n), item("image", 0, n, stream=f"s{n}", append_ms=n))
    clocks.move(item("text", 0, 100, stream="new", append_ms=1_050))
    assert len(clocks) == 100 + 50 + 1
    clocks.move(item("text", 0, 101, stream="new", append_ms=5_000))
    assert len(clocks) == 100 + 1


def test_a_sweep_is_done_in_portions() -> None:
    """One record frees at most so many lanes; what it leaves counts as forgotten all the same."""
    clocks = Clocks(IN_ORDER)
    for n in range(2_500):
        clocks.move(item("text", 5, n, stream=f"s{n}", append_ms=0))
    clocks.move(item("text", 5, 2_500, stream="new", append_ms=2_000))
    assert len(clocks) == 1_501
    assert [state.stream for state in states_of(clocks)] == ["new"]
    for n in range(2):
        clocks.move(item("text", 5, 2_501 + n, stream="new", append_ms=2_001 + n))
    assert len(clocks) == 1


def test_a_lane_that_lives_on_outlives_the_sweep() -> None:
    """A lane with records within the ttl keeps its watermark, however old its first one is."""
    clocks = Clocks(IN_ORDER)
    for append_ms in range(0, 10_000, 500):
        moved(clocks, item("text", append_ms, 0, append_ms=append_ms))
        moved(clocks, item("text", append_ms, 0, stream="other", append_ms=append_ms))
    assert clocks.watermark_ms("s", "text") == 9_500


def test_what_is_forgotten_is_told() -> None:
    """So that the join drops the stream's bound; whether it was too old or too much."""
    clocks, gone = Clocks(msgspec.structs.replace(IN_ORDER, max_streams=2)), list[str]()
    clocks.on_forget = gone.append
    moved(clocks, item("text", 0, 0, stream="idle", append_ms=0), item("text", 0, 1, stream="old", append_ms=500))
    clocks.move(item("text", 0, 2, stream="new", append_ms=1_001))
    assert gone == ["idle"]
    moved(clocks, item("text", 0, 3, stream="newer", append_ms=1_001))
    assert gone == ["idle", "old"]
    assert {state.stream for state in states_of(clocks)} == {"new", "newer"}
    assert clocks.forgotten == {"lanes": 1}, "one of them was too old"


@settings(deadline=None, max_examples=100)
@given(
    times=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 5)), max_size=30),
    more=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 5)), max_size=20),
)
def test_a_restored_clock_judges_as_the_old_one(times: list[tuple[int, int]], more: list[tuple[int, int]]) -> None:
    """Through a snapshot's bytes and back, every later item gets the same verdict."""
    old, new = Clocks(DISORDER), Clocks(DISORDER)
    for offset, (time_ms, id_hash) in enumerate(times):
        old.move(item("text", time_ms, offset, id_hash=id_hash, append_ms=offset))
    packed = msgspec.msgpack.encode(states_of(old))
    new.restore(msgspec.msgpack.decode(packed, type=list[LaneState]))
    for offset, (time_ms, id_hash) in enumerate(more, len(times)):
        one = item("text", time_ms, offset, id_hash=id_hash, append_ms=offset)
        assert old.judge(one) == new.judge(one)
        old.move(one)
        new.move(one)
        assert old.watermark_ms("s", "text") == new.watermark_ms("s", "text")


def test_memory_of_ids_is_bounded_by_the_disorder() -> None:
    """A long log in order leaves one id; with disorder, those of the last `out_of_order_ms`."""
    for join_with, n_left in ((IN_ORDER, 1), (DISORDER, 11)):
        clocks = Clocks(join_with)
        for n in range(1_000):
            clocks.move(item("text", 10 * n, n))
        (state,) = states_of(clocks)
        assert len(state.recent) == n_left


def test_ids_of_a_lane_whose_clock_stands_still_are_bounded() -> None:
    """Those seen first are forgotten, and may come again; the newest are known; what is forgotten is counted."""
    clocks = Clocks(JoinSettings(lanes=("text",), max_remembered_ids=80))
    for n in range(1_000):
        assert clocks.judge(item("text", 5, n)) is None
        clocks.move(item("text", 5, n))
        assert clocks.n_more_ids <= 80
    assert [clocks.judge(item("text", 5, 1_000, id_hash=n)) for n in (0, 900, 950, 999)] == [
        None, None, "duplicate", "duplicate",
    ]  # fmt: skip
    assert clocks.forgotten["ids"] == 999 - clocks.n_more_ids


def test_a_lane_whose_clock_stands_still_does_not_cost_the_others_their_ids() -> None:
    """It remembers most, so it forgets first: a lane with few keeps all of its own."""
    clocks = Clocks(msgspec.structs.replace(DISORDER, lanes=("text",), max_remembered_ids=100))
    for n in range(30):
        clocks.move(item("text", n, n, stream="honest"))
    for n in range(1_000):
        clocks.move(item("text", 5, 30 + n, stream="stuck"))
    assert [clocks.judge(item("text", n, 2_000, stream="honest", id_hash=n)) for n in range(30)] == ["duplicate"] * 30
    assert clocks.judge(item("text", 5, 2_000, stream="stuck", id_hash=30)) is None


def test_streams_beyond_the_most_that_are_remembered_are_forgotten_by_silence() -> None:
    """In the order of the topic's log: the one heard of longest ago goes, and starts anew when it comes again."""
    clocks = Clocks(JoinSettings(max_streams=3))
    for n, stream in enumerate(("a", "b", "c", "a", "d")):
        clocks.move(item("text", 1_000, n, stream=stream))
        clocks.move(item("image", 1_000, n, stream=stream))
    verdicts = {one: clocks.judge(item("text", 10, 9, stream=one)) for one in "abcd"}
    assert verdicts == {"a": "late", "b": None, "c": "late", "d": "late"}
    assert len(clocks) == 2 * 3
    assert clocks.forgotten == {"lanes": 2}


def test_a_stream_with_two_lanes_of_a_modality_counts_once() -> None:
    """Two cameras of one room are one stream."""
    clocks = Clocks(JoinSettings(lanes=("left:image", "right:image"), max_streams=2))
    for stream in "abc":
        for lane in ("left", "right"):
            clocks.move(Item(stream, lane, "media.image", 0, 0, 0, 0, 0))
    assert [state.stream for state in states_of(clocks)] == ["b", "b", "c", "c"]


def test_what_comes_to_the_same_place_shares_memory() -> None:
    """The clocks of the join and those at the acknowledged offsets are one copy of each lane where all is resolved."""
    settled = moved(Clocks(IN_ORDER), item("text", 1_000, 0))
    settled.twin = ahead = settled.copy()
    assert settled.get("s", "text") is ahead.get("s", "text")
    ahead.move(item("text", 2_000, 1))
    assert settled.watermark_ms("s", "text") == 1_000
    settled.move(item("text", 2_000, 1))
    assert settled.get("s", "text") is ahead.get("s", "text")


@settings(deadline=None, max_examples=300)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(0, 40), st.integers(0, 9), st.sampled_from((0, 0, 1, 300))),
        max_size=60,
    ),
    disorder_ms=st.sampled_from((0, 0, 10)),
    max_streams=st.sampled_from((1, 2, 3, 100)),
    max_ids=st.sampled_from((1, 5, 16, 1_000)),
    restarts=st.sets(st.integers(0, 59), max_size=4),
)
def test_whoever_takes_over_forgets_what_was_forgotten(
    rows: list[tuple[str, int, int, int]], disorder_ms: int, max_streams: int, max_ids: int, restarts: set[int]
) -> None:
    """Verdicts are those of an oracle that reads the topic's log from its start, whoever took over on the way."""
    join_with = JoinSettings(
        lanes=("text",),
        out_of_order_ms={"text": disorder_ms},
        max_streams=max_streams,
        max_remembered_ids=max_ids,
    )
    items = [
        item("text", time_ms, offset, stream=stream, id_hash=id_hash)
        for offset, (stream, time_ms, id_hash, _) in enumerate(rows)
    ]
    oracle = Oracle({"media.text": [LogRecord(one) for one in items]}, join_with)
    settled, ahead, found = Clocks(join_with), Clocks(join_with), dict[Key, str]()
    settled.twin, n_settled = ahead, 0
    for n, one in enumerate(items):
        if n in restarts:  # the state at the acknowledged offsets goes through a snapshot, the join starts from it
            packed = msgspec.msgpack.encode(states_of(settled))
            settled = Clocks(join_with)
            settled.restore(msgspec.msgpack.decode(packed, type=list[LaneState]))
            settled.twin = ahead = settled.copy()
            for again in items[n_settled:n]:
                ahead.move(again)
        if verdict := ahead.judge(one):
            found[key(one)] = verdict
        ahead.move(one)
        for _ in range(min(rows[n][3], n + 1 - n_settled)):
            settled.move(items[n_settled])
            n_settled += 1
    assert found == oracle.singles
    assert len(ahead) <= max_streams
    assert ahead.n_more_ids <= max_ids
