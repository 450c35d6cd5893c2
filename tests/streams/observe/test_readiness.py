"""streams/observe/readiness.py: when the lag makes a worker not ready, and how it says so."""

from __future__ import annotations

import pytest

from streams.observe.readiness import STALE_AFTER_MS, lag_reasons, total_lag
from streams.partition.lag import Behind, Lag
from streams.settings import LagLimits

BEHIND = [
    Behind("media.image", 0, Lag(0, 0)),
    Behind("media.text", 3, Lag(12_000, 900)),
    Behind("media.audio", 1, Lag(40, 61_000)),
    Behind("decisions", 1, Lag(50_000, 999_999)),
]


@pytest.mark.parametrize("limits", [LagLimits(), LagLimits(12_000, 61_000)], ids=["off", "not over"])
def test_within_the_limits_nothing_is_said(limits: LagLimits) -> None:
    """0 is no limit; decisions, which are read to the end at each recovery, do not count."""
    assert list(lag_reasons(BEHIND, 1_000, limits)) == []


def test_what_is_furthest_behind_is_named_with_the_numbers() -> None:
    """By records and by time, each with the setting that it breaks."""
    assert list(lag_reasons(BEHIND, 1_000, LagLimits(10_000, 60_000))) == [
        "media.text, partition 3: 12000 records behind, more than ready_max_lag_records=10000",
        "media.audio, partition 1: 61000 ms behind, more than ready_max_lag_ms=60000",
    ]


def test_while_a_broker_is_away_no_old_number_is_shown() -> None:
    """With limits or without: the lag is not known, and for how long."""
    silent_ms = STALE_AFTER_MS + 2_000
    for limits in (LagLimits(), LagLimits(1, 1)):
        (reason,) = lag_reasons(BEHIND, silent_ms, limits)
        assert "have not said for 7 s" in reason
    assert total_lag(BEHIND, silent_ms) is None


def test_with_a_limit_a_lag_that_is_not_known_yet_is_no_small_one() -> None:
    """A worker must not be ready for the second before the first answer."""
    behind = [*BEHIND, Behind("media.image", 1, None)]
    assert list(lag_reasons(behind, 100, LagLimits())) == []
    assert list(lag_reasons(behind, 100, LagLimits(10**9))) == ["the lag of 1 topic partitions is not known yet"]
    assert total_lag(behind, 100) is None


def test_the_total_is_of_media_records() -> None:
    """All that is unread, and the oldest of it; nothing where nothing is assigned."""
    assert total_lag(BEHIND, 1_000) == {"records": 12_040, "age_ms": 61_000}
    assert total_lag([], 1_000) == {"records": 0, "age_ms": 0}
