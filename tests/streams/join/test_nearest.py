"""Strategy `nearest`: single cases with their timelines; each record is (lane, time, duration)."""

from __future__ import annotations

import pytest

from streams.join.items import ClosedDecision, SetDecision
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings
from tests.support.joining import item, run, run_timeline, shapes_of
from tests.support.logs import LogRecord

Case = tuple[JoinSettings, list[tuple[str, int]] | list[tuple[str, int, int]], list[str]]
TWO = JoinSettings(strategy="nearest", lanes=("image", "text"), pivot="text", tolerance_ms=10)
SHARE = JoinSettings(strategy="nearest", lanes=("image", "text"), pivot="text", tolerance_ms=10, share=True)

# text  ------------P------------------Q-->   94 is nearer to P than 107; 107 is nobody's
# image --------94-----107-------------Q-->
NEARER: Case = (
    TWO,
    [("text", 100), ("image", 94), ("image", 107), ("text", 200), ("image", 200)],
    ["complete: image@94 text@100", "unmatched image@107", "complete: image@200 text@200"],
)

# text  -----------P----->     95 and 105 are equally near: the earlier, and 105 has to be seen to know it
# image ------95------105>
EQUALLY_NEAR: Case = (TWO, [("text", 100), ("image", 95), ("image", 105)], ["complete: image@95 text@100"])

# text  ------P---Q------->    P takes 104 although Q is nearer to it: pivots are served in order
# image ---------104------>
TAKEN_IN_ORDER: Case = (
    TWO,
    [("text", 100), ("text", 105), ("image", 104), ("image", 116)],
    ["complete: image@104 text@100", "watermark: text@105"],
)

# text  ------P----------->    110 is at the tolerance, 111 is past it
# image ----------110----->
AT_THE_TOLERANCE: Case = (TWO, [("text", 100), ("image", 110)], ["complete: image@110 text@100"])
PAST_THE_TOLERANCE: Case = (TWO, [("text", 100), ("image", 111)], ["watermark: text@100"])

# image [50 ======= 95]        a picture that covers 50..95 is 5 ms away from the text
# text  -----------------100
DURATION: Case = (
    TWO,
    [("text", 100, 0), ("image", 50, 45), ("image", 93, 0), ("image", 108, 0)],
    ["complete: image@50 text@100"],
)

# image ---100--------------   once the pivot's watermark is past 110, and no pivot took it
# text  --------------111---
UNMATCHED: Case = (TWO, [("image", 100), ("text", 111)], ["unmatched image@100"])
PERHAPS_MATCHED: Case = (TWO, [("image", 100), ("text", 110), ("image", 110)], ["complete: image@110 text@110"])

# text  ------P---Q----------R--    with share P and Q both have 104; it ends when no pivot can come
# image ---------104----------
SHARED: Case = (
    SHARE,
    [("text", 100), ("text", 105), ("image", 104), ("image", 116), ("text", 117)],
    [
        "complete: image@104 text@100",
        "complete: image@104 text@105",
        "closed image@104",
    ],
)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(NEARER, id="nearer"),
        pytest.param(EQUALLY_NEAR, id="equally-near"),
        pytest.param(TAKEN_IN_ORDER, id="taken-in-order"),
        pytest.param(AT_THE_TOLERANCE, id="at-the-tolerance"),
        pytest.param(PAST_THE_TOLERANCE, id="past-the-tolerance"),
        pytest.param(DURATION, id="duration"),
        pytest.param(UNMATCHED, id="unmatched"),
        pytest.param(PERHAPS_MATCHED, id="perhaps-matched"),
        pytest.param(SHARED, id="shared"),
    ],
)
def test_timeline(case: Case) -> None:
    """Each timeline gives the decisions that stand beside it, in that order."""
    settings, rows, expected = case
    assert run_timeline(settings, rows) == expected


def test_equal_distance_waits_for_the_other_side() -> None:
    """An item 5 before the pivot is not taken before the lane has reached 5 past it."""
    records = [LogRecord(item("text", 100, 0)), LogRecord(item("image", 95, 0))]
    _, decisions = run([*records, LogRecord(item("image", 104, 1))], TWO)
    assert shapes_of(decisions) == ["complete: image@104 text@100"]
    _, decisions = run(records, TWO)
    assert decisions == []


def test_shared_members_are_named_as_open() -> None:
    """A set says which of its members a later `closed` ends, so that nobody acknowledges them before."""
    records = [LogRecord(item("text", 100, 0)), LogRecord(item("image", 104, 0))]
    _, decisions = run(records, SHARE)
    assert isinstance(decisions[0], SetDecision)
    assert decisions[0].open_members == (0,)
    _, decisions = run(records, TWO)
    assert isinstance(decisions[0], SetDecision)
    assert decisions[0].open_members == ()


def test_closed_items_leave_nothing_behind() -> None:
    """A stream that never empties keeps no memory of the shared items that it closed."""
    join = PartitionJoin(SHARE)
    n_closed = 0
    for n in range(100):
        join.add(item("image", 100 * n, n), 0)
        join.add(item("text", 100 * n, n), 0)
        n_closed += sum(isinstance(decision, ClosedDecision) for decision in join.decide(0))
    assert n_closed == 99
    assert len(join._streams["s"].taken) == 1


def test_a_shared_item_found_in_the_log_is_closed_in_the_end() -> None:
    """After a crash it joins again below any bound, and is closed, not unmatched, although no pivot takes it now."""
    join = PartitionJoin(SHARE, bounds={"s": 150})
    shared = item("image", 104, 0)
    join.observe(item("text", 100, 0), 0)
    join.add(shared, 0, in_set=True)
    join.add(item("image", 105, 1), 0)
    join.add(item("text", 160, 1), 0)
    assert shapes_of(join.decide(0)) == ["late image@105", "closed image@104"]
    assert join.decide(0) == []


def test_a_shared_item_of_an_unfused_set_may_serve_another() -> None:
    """With a required lane missing only the pivot is unmatched."""
    settings = JoinSettings(strategy="nearest", share=True, require=("audio",), tolerance_ms=10)
    rows = [("text", 100), ("image", 104), ("audio", 120), ("text", 108), ("audio", 108), ("text", 140)]
    records = [LogRecord(item(lane, time_ms, n)) for n, (lane, time_ms) in enumerate(rows) if n != 4]
    _, decisions = run([*records, LogRecord(item("image", 130, 9))], settings)
    assert shapes_of(decisions)[0] == "unmatched text@100"
    assert "closed image@104" not in shapes_of(decisions)
    assert not any(isinstance(decision, ClosedDecision) for decision in decisions)
