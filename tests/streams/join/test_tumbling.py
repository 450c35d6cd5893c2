"""Strategy `tumbling`: single cases with their timelines."""

from __future__ import annotations

import msgspec
import pytest

from streams.join.items import SetDecision
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from tests.support.joining import item, pass_time, run, run_out, shapes_of
from tests.support.logs import LogRecord

TWO = JoinSettings(strategy="tumbling", lanes=("image", "text"), size_ms=100, max_wait_ms=1_000)
Case = tuple[list[tuple[str, int]], list[str]]

# image |100--150--199|200---    lists per lane in order of time; 200 belongs to the next window
# text  |-----130-----|200---
LISTS: Case = (
    [("image", 100), ("text", 130), ("image", 150), ("image", 199), ("image", 200), ("text", 200)],
    ["complete: image@100 image@150 image@199 text@130"],
)

# image |100----------|200---    a lane that passed the window's end is missing
# text  |-------------|200---
MISSING: Case = ([("image", 100), ("image", 200), ("text", 200)], ["watermark: image@100"])

# image |100----------|200---    one short of the end: it may still give an item
# text  |----------199|------
NOT_YET: Case = ([("image", 100), ("image", 200), ("text", 199)], [])

# image |100| 200 | 300 |400     windows leave in order, empty ones do not exist
# text  |---| 250 |     |400
IN_ORDER: Case = (
    [("image", 100), ("image", 200), ("image", 400), ("text", 250), ("text", 400)],
    ["watermark: image@100", "complete: image@200 text@250"],
)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(LISTS, id="lists"),
        pytest.param(MISSING, id="missing"),
        pytest.param(NOT_YET, id="not-yet"),
        pytest.param(IN_ORDER, id="in-order"),
    ],
)
def test_timeline(case: Case) -> None:
    """Each timeline gives the decisions that stand beside it, in that order."""
    rows, expected = case
    _, decisions = run([LogRecord(item(lane, time_ms, n)) for n, (lane, time_ms) in enumerate(rows)], TWO)
    assert shapes_of(decisions) == expected


def test_the_timer_runs_from_the_first_item_past_the_window() -> None:
    """Image 100 at 0, image 210 at 300, image 320 at 400: the window waits from 300 for the silent text."""
    join = PartitionJoin(TWO)
    for n, (time_ms, now_ms) in enumerate([(100, 0), (210, 300), (320, 400)]):
        join.add(item("image", time_ms, n), now_ms)
        join.joined("media.image", n + 1, now_ms)
        join.decide(now_ms)
    high_water = {"media.image": 3}
    assert pass_time(join, 1_299, high_water) == []
    assert shapes_of(pass_time(join, 1_300, high_water)) == ["timeout: image@100"]
    assert join.bounds == {"s": 200}


def test_the_timer_of_an_open_window_runs_from_the_last_arrival() -> None:
    """Nothing past the end yet: the stream's last item, of any lane, starts the wait."""
    join = PartitionJoin(TWO)
    for n, now_ms in enumerate((0, 700)):
        join.add(item("image", 100 + n, n), now_ms)
        join.joined("media.image", n + 1, now_ms)
    assert pass_time(join, 1_699, {"media.image": 2}) == []
    assert shapes_of(run_out(join, 1_700, {"media.image": 2})) == ["timeout: image@100 image@101"]


def test_after_a_forced_decision_the_whole_window_is_past() -> None:
    """Late is what lies below the window's end, in any lane; at the end it is not."""
    join = PartitionJoin(TWO)
    join.add(item("image", 100, 0), 0)
    assert shapes_of(join.press()) == ["pressure: image@100"]
    join.add(item("text", 199, 0), 0)
    join.add(item("text", 200, 1), 0)
    assert shapes_of(join.decide(0)) == ["late text@199"]
    assert join.n_undecided == 1


# a member of this stream and these lanes takes 64 + 1 + 5 or 4 bytes: two fit into 140, and no third
FULL = JoinSettings(strategy="tumbling", lanes=("image", "text"), size_ms=100, max_wait_ms=1_000, max_set_bytes=140)


def test_a_window_with_more_than_a_set_may_hold_gives_several() -> None:
    """The earliest first, by time and then by lane; what no later one holds is missing there."""
    rows = [("image", 100), ("text", 130), ("image", 130), ("image", 150), ("image", 200), ("text", 200)]
    _, decisions = run([LogRecord(item(lane, time_ms, n)) for n, (lane, time_ms) in enumerate(rows)], FULL)
    assert shapes_of(decisions) == ["watermark: image@100 image@130", "complete: image@150 text@130"]
    assert [one.start_ms for one in decisions if isinstance(one, SetDecision)] == [100, 100]


def test_a_full_set_that_is_forced_makes_only_what_is_older_late() -> None:
    """What it left is decided next, by itself: a successor that knows the first alone must not find it late."""
    join = PartitionJoin(FULL)
    for n, time_ms in enumerate([100, 120, 150]):
        join.add(item("image", time_ms, n), 0)
    join.joined("media.image", 3, 0)
    decisions = run_out(join, 0, {"media.image": 3})
    assert shapes_of(decisions) == ["timeout: image@100 image@120", "timeout: image@150"]
    assert [one.bound_ms for one in decisions if isinstance(one, SetDecision)] == [150, 200]


def test_each_set_of_a_window_needs_the_required_lanes() -> None:
    """And the members of the one that lacks them go together."""
    join = PartitionJoin(msgspec.structs.replace(FULL, require=("text",)))
    for lane, offset, time_ms in [("image", 0, 100), ("image", 1, 110), ("text", 0, 130), ("image", 2, 140)]:
        join.add(item(lane, time_ms, offset), 0)
    for lane, offset in [("image", 3), ("text", 1)]:
        join.add(item(lane, 200, offset), 0)
    expected = ["unmatched image@100", "unmatched image@110", "complete: image@140 text@130"]
    assert shapes_of(join.decide(0)) == expected
    assert join.tied == {("media.image", 0)}
