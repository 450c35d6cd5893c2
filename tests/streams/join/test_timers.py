"""Decisions by timeout: from when the wait counts, and what proof they need."""

from __future__ import annotations

import pytest

from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from streams.join.timers import StalledLane
from tests.support.joining import item, next_deadline_ms, pass_time, shapes_of

SETTINGS = JoinSettings(lanes=("image", "text"), max_wait_ms=1_000, tolerance_ms=5)


def waiting() -> PartitionJoin:
    """An image of 100 that arrived at 0 and waits for its text."""
    join = PartitionJoin(SETTINGS)
    join.add(item("image", 100, 0), 0)
    join.joined("media.image", 1, 0)
    assert join.decide(0) == []
    return join


def test_the_topics_are_asked_for_when_the_deadline_has_come() -> None:
    """Before, nobody asks the broker; then only the topics of unsettled lanes."""
    join = waiting()
    assert next_deadline_ms(join) == 1_000
    join.decide(999)
    assert join.timer_topics() == set()
    join.decide(1_000)
    assert join.timer_topics() == {"media.text"}


@pytest.mark.parametrize(("asked_ms", "n_decided"), [(999, 0), (1_000, 1)])
def test_the_proof_must_be_of_the_deadline_or_later(asked_ms: int, n_decided: int) -> None:
    """A high watermark asked for before the deadline proves nothing of the time between."""
    join = waiting()
    join.decide(1_000)
    join.high_water("media.text", 0, asked_ms, 1_001)
    assert len(join.decide(1_001)) == n_decided


def test_a_timer_fires_when_the_asked_offset_has_joined() -> None:
    """No further input of the stream is needed; the set is partial, by timeout, and sets a bound."""
    join = waiting()
    join.decide(1_000)
    join.high_water("media.text", 3, 1_000, 1_001)
    assert join.decide(1_001) == []
    join.joined("media.text", 2, 1_002)
    assert join.decide(1_002) == []
    join.joined("media.text", 3, 1_003)
    assert shapes_of(join.decide(1_003)) == ["timeout: image@100"]
    assert join.bounds == {"s": 100}
    assert join.timer_topics() == set()


def test_the_text_that_was_still_to_be_decoded_joins() -> None:
    """The proof waits for offset 2; the text that lies there makes the set complete."""
    join = waiting()
    join.decide(1_000)
    join.high_water("media.text", 3, 1_000, 1_001)
    join.add(item("text", 100, 2), 1_002)
    join.joined("media.text", 3, 1_002)
    assert shapes_of(join.decide(1_002)) == ["complete: image@100 text@100"]


def test_an_arrival_in_the_missing_lane_renews_the_wait() -> None:
    """A lane that still speaks is slow, not silent; what was only observed counts, what is late does not."""
    join = waiting()
    join.observe(item("text", 50, 0), 600)
    join.joined("media.text", 1, 600)
    assert pass_time(join, 1_599, {"media.text": 1}) == []
    join.add(item("text", 40, 1), 1_599)
    join.observe(item("text", 41, 2), 1_599)
    join.joined("media.text", 3, 1_599)
    assert shapes_of(pass_time(join, 1_599, {"media.text": 3})) == ["late text@40"]
    assert shapes_of(pass_time(join, 1_600, {"media.text": 3})) == ["timeout: image@100"]


def test_arrivals_in_a_settled_lane_renew_nothing() -> None:
    """Images go on coming; the first one's wait ends all the same, and each later one's when its time is there."""
    join = waiting()
    for n in range(1, 30):
        now_ms = 100 * n
        join.add(item("image", 100 + 10 * n, n), now_ms)
        join.joined("media.image", n + 1, now_ms)
        decided = pass_time(join, now_ms, {"media.image": n + 1})
        assert len(decided) == (1 if now_ms >= 1_000 else 0)


def test_the_wait_of_a_set_counts_from_its_first_arrival() -> None:
    """An older image that comes later opens the set; the text has waited since 0 and waits no longer for it."""
    join = PartitionJoin(JoinSettings(max_wait_ms=1_000, tolerance_ms=50))
    join.add(item("text", 110, 0), 0)
    join.add(item("image", 100, 0), 900)
    join.joined("media.text", 1, 0)
    join.joined("media.image", 1, 900)
    high_water = {"media.text": 1, "media.image": 1}
    assert pass_time(join, 999, high_water) == []
    assert shapes_of(pass_time(join, 1_000, high_water)) == ["timeout: image@100 text@110"]


def test_no_timer_fires_while_the_broker_cannot_be_asked() -> None:
    """An outage of a minute: the wait counts from the last failure."""
    join = waiting()
    for now_ms in range(1_000, 61_000, 1_000):
        assert join.decide(now_ms) == []
        assert join.timer_topics() == {"media.text"}
        join.high_water("media.text", None, now_ms, now_ms)
        assert join.decide(now_ms) == []
        assert next_deadline_ms(join) == now_ms + 1_000
    assert shapes_of(pass_time(join, 61_000, {})) == ["timeout: image@100"]


def test_no_timer_fires_during_catch_up() -> None:
    """A backlog of texts of other streams is read for 10 s: the wait counts from the moment it is done."""
    join = waiting()
    join.decide(1_000)
    join.high_water("media.text", 100, 1_000, 1_000)
    for n in range(100):
        now_ms = 1_000 + 100 * n
        join.joined("media.text", n + 1, now_ms)
        assert join.decide(now_ms) == []
    assert pass_time(join, now_ms + 999, {"media.text": 100}) == []
    assert shapes_of(pass_time(join, now_ms + 1_000, {"media.text": 100})) == ["timeout: image@100"]


def test_an_unmatched_item_waits_for_the_pivot_lane() -> None:
    """`nearest`: by timeout with the pivot as the missing lane; no set, so no bound."""
    join = PartitionJoin(JoinSettings(strategy="nearest", lanes=("image", "text"), max_wait_ms=1_000))
    join.add(item("image", 100, 0), 0)
    join.joined("media.image", 1, 0)
    assert pass_time(join, 999, {"media.image": 1}) == []
    assert shapes_of(pass_time(join, 1_000, {"media.image": 1})) == ["unmatched image@100"]
    assert join.bounds == {}


def test_timers_of_streams_that_are_gone_use_no_memory() -> None:
    """20,000 sets that were complete at once leave at most about a thousand entries, whatever `max_wait_ms` is."""
    join = PartitionJoin(JoinSettings(lanes=("image", "text"), max_wait_ms=3_600_000))
    join.add(item("image", 100, 99_999, stream="waiting"), 0)
    n_complete = 0
    for n in range(20_000):
        for lane in ("image", "text"):
            join.add(item(lane, 100, n, stream=f"s{n}"), n)
            n_complete += shapes_of(join.decide(n)) == ["complete: image@100 text@100"]
    assert n_complete == 20_000
    assert len(join._timers._heap) <= 1_002 + 1


def _until_decided(
    ms: int, step_ms: int, until_ms: int, settings: JoinSettings = SETTINGS
) -> tuple[int, PartitionJoin]:
    """When an image of 10,000 was decided that arrived at 0; texts come from 0 on, `step_ms` of event time apart."""
    join = PartitionJoin(settings)
    join.add(item("image", 10_000, 0), 0)
    join.joined("media.image", 1, 0)
    for n, now_ms in enumerate(range(0, until_ms, ms)):
        join.add(item("text", n * step_ms, n), now_ms)
        join.joined("media.text", n + 1, now_ms)
        decided = pass_time(join, now_ms, {"media.text": n + 1, "media.image": 1})
        if any("image@10000" in shape for shape in shapes_of(decided)):
            return now_ms, join
    raise AssertionError("the image is still undecided")


def test_a_lane_whose_time_stands_still_renews_nothing() -> None:
    """It sends events, and none of them brings the image nearer to its text: law 5 holds."""
    decided_ms, join = _until_decided(100, 0, 20_000)
    assert decided_ms == 1_000
    assert join.stalled.lanes(decided_ms) == [StalledLane("s", "text", 0)]
    assert join.stalled.lanes(decided_ms + 60_001) == []


def test_a_lane_whose_time_crawls_renews_the_wait_five_times_at_most() -> None:
    """In all, however long it goes on."""
    assert _until_decided(100, 1, 20_000)[0] == 5_000


def test_behind_a_set_that_a_crawling_lane_delayed_others_wait_as_for_a_silent_one() -> None:
    """Else each of them would wait for five times as long, one after the other."""
    join, decided = PartitionJoin(SETTINGS), dict[str, int]()
    for n, now_ms in enumerate(range(0, 20_000, 100)):
        if n % 20 == 0:
            join.add(item("image", 100_000 + 10 * n, n), now_ms)
            join.joined("media.image", n + 1, now_ms)
        join.add(item("text", n, n), now_ms)
        join.joined("media.text", n + 1, now_ms)
        shapes = shapes_of(pass_time(join, now_ms, {"media.text": n + 1, "media.image": n + 1}))
        decided |= {shape: now_ms for shape in shapes if "image" in shape}
    waits_ms = [at_ms - 2_000 * number for number, at_ms in enumerate(decided.values())]
    assert waits_ms == [5_000, 3_000, *[1_000] * 8]


def test_a_lane_that_comes_in_time_is_waited_for_as_long_as_it_takes() -> None:
    """The image's partner is ten waits away in event time, and the lane that brings it is live and slow."""
    shapes = _backlog_beside_live_texts(JoinSettings(lanes=("image", "text"), max_wait_ms=1_000, tolerance_ms=5))
    assert shapes == [f"complete: image@{n * 500} text@{n * 500}" for n in range(100)]


def _backlog_beside_live_texts(settings: JoinSettings) -> list[str]:
    """What becomes of 100 images, two a second, that all came at once, and of their texts, which come in time."""
    join = PartitionJoin(settings)
    for n in range(100):
        join.add(item("image", n * 500, n), 0)
    join.joined("media.image", 100, 0)
    shapes: list[str] = []
    for n, now_ms in enumerate(range(0, 52_000, 500)):
        if n < 100:
            join.add(item("text", n * 500, n), now_ms)
            join.joined("media.text", n + 1, now_ms)
        shapes += shapes_of(pass_time(join, now_ms, {"media.text": min(n + 1, 100), "media.image": 100}))
    return shapes


def test_what_covers_a_long_time_is_given_that_time_as_well() -> None:
    """A window of a minute fills for a minute: its lanes are live, though no set is decided meanwhile."""
    settings = JoinSettings(strategy="tumbling", size_ms=60_000, lanes=("image", "text"), max_wait_ms=1_000)
    join, shapes = PartitionJoin(settings), list[str]()
    for n, now_ms in enumerate(range(0, 62_000, 500)):
        for lane in ("image", "text"):
            join.add(item(lane, now_ms, n), now_ms)
            join.joined(f"media.{lane}", n + 1, now_ms)
        shapes += shapes_of(pass_time(join, now_ms, {"media.text": n + 1, "media.image": n + 1}))
    assert len(shapes) == 1
    assert shapes[0].startswith("complete")


@pytest.mark.parametrize("pivot", ["image", "text"])
def test_no_lane_of_nearest_waits_for_one_that_crawls(pivot: str) -> None:
    """As a pivot it would leave the image unmatched, as another lane it would be missing: either way in time."""
    settings = JoinSettings(strategy="nearest", pivot=pivot, lanes=("image", "text"), max_wait_ms=1_000, tolerance_ms=5)
    decided_ms, _ = _until_decided(100, 1, 20_000, settings)
    assert decided_ms == 5_000


@pytest.mark.parametrize("step_ms", [0, 1])
def test_no_item_waits_behind_others_that_creep_and_wait_themselves(step_ms: int) -> None:
    """Each text opens a set that waits for audio, which is silent; the image is later than all of them."""
    settings = JoinSettings(max_wait_ms=1_000, tolerance_ms=5)
    assert _until_decided(100, step_ms, 60_000, settings)[0] <= 10_000


def test_a_backlog_beside_a_live_lane_is_whole_though_a_third_lane_is_silent() -> None:
    """Each set waits for audio in vain; an image a minute ahead still meets its text."""
    shapes = _backlog_beside_live_texts(JoinSettings(max_wait_ms=1_000, tolerance_ms=5))
    assert shapes == [f"timeout: image@{n * 500} text@{n * 500}" for n in range(100)]
