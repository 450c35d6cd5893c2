"""Strategy `tumbling`: single cases with their timelines."""

from __future__ import annotations

import pytest

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
