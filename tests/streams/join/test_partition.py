"""The join of a partition: lanes, bounds, required lanes, pressure, and the cases that once went wrong elsewhere."""

from __future__ import annotations

import pytest

from streams.join.items import Item, JoinDecision, SetDecision, UnfusedDecision
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from tests.support.joining import item, pass_time, run, run_out, shapes_of
from tests.support.logs import LogRecord

TWO = JoinSettings(lanes=("image", "text"), max_wait_ms=100)


def test_an_item_of_a_lane_nobody_waits_for_is_unexpected() -> None:
    """It moves no watermark; a lane of the right name on another modality's topic is as strange."""
    join = PartitionJoin(TWO)
    join.add(item("audio", 100, 0), 0)
    join.add(Item("s", "text", "media.image", 1, 100, 100, 1, 0), 0)
    join.observe(Item("s", "text", "media.image", 2, 100, 100, 1, 0), 0)
    assert shapes_of(join.decide(0)) == ["unexpected audio@100", "unexpected text@100"]
    assert len(join.clocks) == 0


def test_lanes_follow_the_streams_name() -> None:
    """A pattern says what a stream waits for."""
    join = PartitionJoin(JoinSettings(lanes_by_stream={"lobby-*": ("image",)}))
    join.add(item("image", 100, 0, stream="lobby-1"), 0)
    join.add(item("image", 100, 1, stream="hall"), 0)
    assert shapes_of(join.decide(0)) == ["complete: image@100"]
    assert join.n_undecided == 1


def test_two_lanes_of_one_modality_share_a_topic() -> None:
    """Left and right cameras are lanes of their own, told apart by name."""
    join = PartitionJoin(JoinSettings(lanes=("left:image", "right:image")))
    for n, lane in enumerate(("left", "right")):
        join.add(Item("s", lane, "media.image", n, 100 + n, 100 + n, 5, 0), 0)
    assert shapes_of(join.decide(0)) == ["complete: left@100 right@101"]


@pytest.mark.parametrize(("time_ms", "shape"), [(99, "late text@99"), (100, "watermark: text@100")])
def test_below_a_forced_set_everything_is_late(time_ms: int, shape: str) -> None:
    """The opener's time itself is not below it; `late_by_ms` counts from the bound."""
    join = PartitionJoin(TWO)
    join.add(item("image", 100, 0), 0)
    forced = join.press()
    assert shapes_of(forced) == ["pressure: image@100"]
    assert isinstance(forced[0], SetDecision)
    assert forced[0].bound_ms == join.bounds["s"] == 100
    join.add(item("text", time_ms, 0), 0)
    join.add(item("image", 1_000, 1), 0)
    decisions = join.decide(0)
    assert shapes_of(decisions) == [shape]
    if isinstance(decisions[0], UnfusedDecision):
        assert decisions[0].late_by_ms == 1


def test_a_bound_never_goes_down() -> None:
    """A later forced set of an older start, after the lanes were forgotten, leaves what was promised."""
    join = PartitionJoin(TWO, bounds={"s": 50})
    join.add(item("image", 40, 0), 0)
    join.add(item("image", 60, 1, append_ms=0), 0)
    join.press()
    assert join.bounds == {"s": 60}


def test_late_by_counts_from_the_watermark() -> None:
    """How late is part of the outcome."""
    join = PartitionJoin(TWO)
    join.add(item("image", 100, 0), 0)
    join.add(item("image", 93, 1), 0)
    decision = join.decide(0)[0]
    assert isinstance(decision, UnfusedDecision)
    assert (decision.reason, decision.late_by_ms) == ("late", 7)


def test_a_bound_is_forgotten_with_its_stream() -> None:
    """A clock that was set back while the stream was silent for longer than the ttl joins again."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), stream_ttl_ms=1_000))
    join.add(item("image", 5_000, 0, append_ms=0), 0)
    join.press()
    join.add(item("text", 10, 0, append_ms=1_000), 0)
    assert shapes_of(join.decide(0)) == ["late text@10"]
    join.observe(item("image", 10, 1, stream="other", append_ms=1_001), 0)
    for n, lane in enumerate(("text", "image")):
        join.add(item(lane, 10, 2 + n, append_ms=1_001), 0)
    assert shapes_of(join.decide(0)) == ["complete: image@10 text@10"]
    assert join.bounds == {}


def test_a_bound_outlives_a_silence_that_is_not_known_to_be_one() -> None:
    """One topic was read ahead past the ttl: what another still has from before is late."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), stream_ttl_ms=1_000))
    join.add(item("image", 5_000, 0, append_ms=0), 0)
    join.press()
    join.add(item("image", 6_000, 1, append_ms=1_001), 0)
    join.add(item("text", 4_000, 0, append_ms=500), 0)
    assert shapes_of(join.decide(0)) == ["late text@4000"]


def test_a_silence_beside_a_quiet_topic_is_known_once_that_is_caught_up() -> None:
    """The first record after it asks how far the other topic reaches; from the answer on its lane joins again."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), stream_ttl_ms=1_000))
    join.add(item("image", 5_000, 0, append_ms=0), 0)
    join.press()
    join.add(item("image", 10, 1, append_ms=1_001), 7)
    assert shapes_of(join.decide(7)) == ["late image@10"]
    assert join.timer_topics() == {"media.text"}
    join.high_water("media.text", 0, 7, 8)
    join.add(item("image", 20, 2, append_ms=1_100), 9)
    join.decide(9)
    assert (join.n_undecided, join.bounds) == (1, {})


def test_a_bound_goes_when_the_topics_move_on() -> None:
    """Streams that never come back leave no bound behind."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), stream_ttl_ms=1_000))
    for n, lane in enumerate(("image", "text")):
        join.add(item(lane, 100, n, append_ms=0), 0)
        join.press()
    for n, lane in enumerate(("image", "text")):
        assert "s" in join.bounds
        join.add(item(lane, 100, 2 + n, stream="other", append_ms=1_001), 0)
    assert "s" not in join.bounds


def test_a_stream_with_undecided_items_is_not_forgotten() -> None:
    """Else its watermarks were gone while its set waits: the text of 200 says that 100 has none."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), stream_ttl_ms=1_000))
    join.add(item("text", 200, 0, append_ms=0), 0)
    join.add(item("text", 300, 1, stream="other", append_ms=9_000), 0)
    join.add(item("image", 100, 0, append_ms=0), 0)
    assert shapes_of(join.decide(0)) == ["watermark: image@100"]


def test_an_observed_item_moves_its_lane_and_joins_nothing() -> None:
    """Decided before a crash, or not to be decoded: the watermark moves, and its copy is a duplicate."""
    join = PartitionJoin(TWO)
    join.add(item("image", 100, 0), 0)
    join.observe(item("text", 151, 7), 0)
    join.observe(item("text", 100, 8), 0)
    join.add(item("text", 151, 9, id_hash=7), 0)
    assert shapes_of(join.decide(0)) == ["duplicate text@151", "watermark: image@100"]


def test_a_set_without_a_required_lane_is_unmatched() -> None:
    """Each of its members is unfused; forced, they carry the bound, so that a reader of the log learns of it."""
    join = PartitionJoin(JoinSettings(require=("text",)))
    for lane in ("image", "audio"):
        join.add(item(lane, 100, 0), 0)
    join.add(item("text", 151, 0), 0)
    join.observe(item("image", 400, 1), 0)
    assert shapes_of(join.decide(0)) == ["unmatched image@100", "unmatched audio@100"]
    join.add(item("audio", 300, 1), 0)
    join.add(item("image", 500, 2), 0)
    assert shapes_of(join.decide(0)) == ["watermark: text@151"]
    forced = join.press()
    assert [(d.item.lane, d.bound_ms) for d in forced if isinstance(d, UnfusedDecision)] == [("audio", 300)]
    assert join.bounds == {"s": 300}


def test_pressure_takes_the_stream_of_the_oldest_record_up_to_its_set() -> None:
    """Oldest by append time; sets before it in the stream go first, other streams and later sets stay."""
    join = PartitionJoin(TWO)
    join.add(item("image", 500, 0, append_ms=5), 0)
    join.add(item("image", 900, 1, append_ms=8), 0)
    join.add(item("text", 100, 0, append_ms=7), 0)
    join.add(item("image", 10, 2, stream="other", append_ms=6), 0)
    assert shapes_of(join.press()) == ["watermark: text@100", "pressure: image@500"]
    assert shapes_of(join.press()) == ["pressure: image@10"]
    assert shapes_of(join.press()) == ["pressure: image@900"]
    assert join.press() == []


def test_pressure_on_an_item_that_no_pivot_reaches() -> None:
    """`nearest`: it is unmatched by itself; one that a held pivot reaches goes with the pivots, in order."""
    join = PartitionJoin(JoinSettings(strategy="nearest", lanes=("image", "text"), tolerance_ms=10))
    join.add(item("image", 300, 0, append_ms=1), 0)
    join.add(item("image", 395, 1, append_ms=2), 0)
    for n, time_ms in enumerate((200, 400)):
        join.add(item("text", time_ms, n, append_ms=3), 0)
    assert shapes_of(join.decide(0)) == ["watermark: text@200", "unmatched image@300"]
    assert shapes_of(join.press()) == ["pressure: image@395 text@400"]
    join.add(item("image", 500, 2, append_ms=4), 0)
    assert shapes_of(join.press()) == ["unmatched image@500"]


def test_after_pressure_the_rest_of_the_stream_is_looked_at() -> None:
    """A text that covers 500 ms waits for images until 600; the short one behind it has all it needs."""
    join = PartitionJoin(JoinSettings(strategy="nearest", lanes=("image", "text"), tolerance_ms=10))
    join.add(item("text", 100, 0, duration_ms=500, append_ms=0), 0)
    join.add(item("text", 200, 1), 0)
    for n, time_ms in enumerate((150, 205)):
        join.add(item("image", time_ms, n), 0)
    assert join.decide(0) == []
    assert shapes_of(join.press()) == ["pressure: image@150 text@100"]
    assert shapes_of(join.decide(0)) == ["complete: image@205 text@200"]


def test_two_crossed_streams_end_by_pressure_and_lose_nothing() -> None:
    """Images A x 100 then B x 100, texts B x 100 then A x 100, audio silent, room for 40: all is decided once."""
    join = PartitionJoin(JoinSettings(tolerance_ms=5))
    images = [item("image", 10 * n, 100 * place + n, stream=s) for place, s in enumerate("AB") for n in range(100)]
    texts = [item("text", 10 * n, 100 * place + n, stream=s) for place, s in enumerate("BA") for n in range(100)]
    decisions: list[JoinDecision] = []
    for pair in zip(images, texts, strict=True):
        for one in pair:
            join.add(one, 0)
            decisions += join.decide(0)
            while join.n_undecided > 40:
                decisions += join.press()
    decisions += run_out(join, 0, {})
    outcomes = [
        (one.topic, one.offset)
        for decision in decisions
        for one in (decision.members if isinstance(decision, SetDecision) else [decision.item])
    ]
    assert sorted(outcomes) == sorted((one.topic, one.offset) for one in images + texts)
    assert any(decision.reason == "pressure" for decision in decisions if isinstance(decision, SetDecision))


def test_two_crossed_streams_with_room_are_all_joined() -> None:
    """The same with room for all 400: every image finds its text."""
    join, decisions = PartitionJoin(JoinSettings(lanes=("image", "text"), tolerance_ms=5)), list[JoinDecision]()
    for place in range(2):
        for n in range(100):
            join.add(item("image", 10 * n, 100 * place + n, stream="AB"[place]), 0)
            join.add(item("text", 10 * n, 100 * place + n, stream="BA"[place]), 0)
            decisions += join.decide(0)
    decisions += run_out(join, 0, {"media.image": 200, "media.text": 200})
    assert [decision.outcome for decision in decisions if isinstance(decision, SetDecision)] == ["complete"] * 200
    assert join.n_undecided == 0


def test_a_lane_that_trickles_under_a_backlog_is_waited_for() -> None:
    """20,000 images at once, texts at 50/s: each arrival renews the wait, so all are complete, none by a timer."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), tolerance_ms=5, max_wait_ms=100))
    n_items, decisions = 20_000, list[JoinDecision]()
    for n in range(n_items):
        join.add(item("image", 10 * n, n), 0)
    joined = {"media.image": n_items}
    join.joined("media.image", n_items, 0)
    for n in range(n_items):
        now_ms = 20 * n
        join.add(item("text", 10 * n, n), now_ms)
        joined["media.text"] = n + 1
        join.joined("media.text", n + 1, now_ms)
        decisions += pass_time(join, now_ms, joined)
    assert all(isinstance(one, SetDecision) and (one.outcome, one.reason) == ("complete",) * 2 for one in decisions)
    assert len(decisions) == n_items


def test_members_of_a_set_that_was_given_up_are_tied_and_other_unmatched_items_are_not() -> None:
    """By what they are, not by standing next to each other: whoever writes the log keeps the first together alone."""
    rows = [("image", 100), ("audio", 110), ("image", 900), ("audio", 900), ("text", 1_000), ("image", 2_000)]
    records = [LogRecord(item(lane, time_ms, n)) for n, (lane, time_ms) in enumerate(rows)]
    join, _ = run(records, JoinSettings(require=("text",), tolerance_ms=20))
    assert join.tied == {("media.image", 0), ("media.image", 2)}
    images = [LogRecord(item("image", 100 * n, n)) for n in range(50)]
    pivot = LogRecord(item("text", 10_000, 50))
    nearest = JoinSettings(strategy="nearest", lanes=("image", "text"), require=("image",), tolerance_ms=20)
    join, decisions = run([*images, pivot], nearest)
    assert len(decisions) == 50
    assert join.tied == set()
