"""Strategy `earliest`: single cases with their timelines; each record is (lane, time, duration)."""

from __future__ import annotations

import pytest

from streams.join.settings import JoinSettings
from tests.support.joining import item, run, run_timeline, shapes_of
from tests.support.logs import LogRecord

Case = tuple[JoinSettings, list[tuple[str, int]] | list[tuple[str, int, int]], list[str]]
TWO = JoinSettings(lanes=("image", "text"), tolerance_ms=50)
DISORDER = JoinSettings(lanes=("image", "text"), tolerance_ms=50, out_of_order_ms={"image": 30})

# image --o------->       the text's watermark is the text itself: decided by the last member
# text  ----o----->
COMPLETE: Case = (TWO, [("image", 100), ("text", 140)], ["complete: image@100 text@140"])

# image --o-------------->     150 = 100 + tolerance still belongs, 151 does not
# text  -------|o-------->
AT_THE_LIMIT: Case = (TWO, [("image", 100), ("text", 150)], ["complete: image@100 text@150"])
PAST_THE_LIMIT: Case = (TWO, [("image", 100), ("text", 151)], ["watermark: image@100"])

# image --o----------x--->     nothing can come at 150 any more once 151 was seen; at 150 it can
# text  -------o---------->
OPENER_OF_EITHER_LANE: Case = (TWO, [("text", 100), ("image", 90), ("text", 160)], ["complete: image@90 text@100"])

# image --[======o======]------>    the tolerance counts from the opener's end
# text  ------------------o---->
DURATION: Case = (TWO, [("image", 100, 200), ("text", 350, 0)], ["complete: image@100 text@350"])

# image 100 and text 100: equal times, image comes first in lane order, whatever arrives first
TIE: Case = (TWO, [("text", 100), ("image", 100)], ["complete: image@100 text@100"])

# image ----o--o------->    image 120 is held until its watermark (max - 30) reaches it; then 110 is the member
# text  --o------------>
WAITS_FOR_DISORDER: Case = (
    DISORDER,
    [("text", 100), ("image", 120), ("image", 110), ("image", 140)],
    ["complete: image@110 text@100"],
)

# image --o1--o2------------>    image 60 is late in its own lane: 110 - 30 = 80; the text it belonged to has gone on
# text  --o----------------->
LATE_IN_ITS_OWN_LANE: Case = (
    DISORDER,
    [("image", 110), ("image", 60), ("image", 140), ("text", 110)],
    ["late image@60", "complete: image@110 text@110"],
)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(COMPLETE, id="complete"),
        pytest.param(AT_THE_LIMIT, id="at-the-limit"),
        pytest.param(PAST_THE_LIMIT, id="past-the-limit"),
        pytest.param(OPENER_OF_EITHER_LANE, id="opener-of-either-lane"),
        pytest.param(DURATION, id="duration"),
        pytest.param(TIE, id="tie"),
        pytest.param(WAITS_FOR_DISORDER, id="waits-for-disorder"),
        pytest.param(LATE_IN_ITS_OWN_LANE, id="late-in-its-own-lane"),
    ],
)
def test_timeline(case: Case) -> None:
    """Each timeline gives the decisions that stand beside it, in that order."""
    settings, rows, expected = case
    assert run_timeline(settings, rows) == expected


def test_a_missing_lane_is_given_up_past_the_limit_only() -> None:
    """With its watermark at the limit the lane may still give an item there; one past it, no more."""
    for last_ms, n_decided in ((150, 0), (151, 1)):
        records = [
            LogRecord(item("image", 100, 0)),
            LogRecord(item("text", last_ms, 0), decodable=False),
        ]
        _, decisions = run(records, TWO)
        assert len(decisions) == n_decided


def test_a_duplicate_joins_nothing() -> None:
    """The second copy of a held record, and that of a decided one at the watermark, are unfused."""
    rows = [("image", 100, 1), ("image", 100, 1), ("text", 100, 2), ("text", 100, 2)]
    records = [LogRecord(item(lane, time_ms, n, id_hash=id_hash)) for n, (lane, time_ms, id_hash) in enumerate(rows)]
    _, decisions = run(records, TWO)
    assert shapes_of(decisions) == [
        "duplicate image@100",
        "complete: image@100 text@100",
        "duplicate text@100",
    ]
