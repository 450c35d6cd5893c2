"""streams/settings.py."""

from __future__ import annotations

import pytest

from streams.settings import HandoverTimes, WorkerSettings


def test_by_default_there_is_all_the_time_that_is_usual() -> None:
    """The group waits for longer than a handover takes."""
    settings = WorkerSettings()
    assert HandoverTimes.within(settings.session_timeout_ms, settings.heartbeat_ms) == HandoverTimes()


@pytest.mark.parametrize(
    ("session_ms", "heartbeat_ms"), [(100, 33), (1_000, 300), (3_000, 500), (3_000, 1_000), (4_500, 10)]
)
def test_a_handover_ends_before_the_group_gives_its_member_up(session_ms: int, heartbeat_ms: int) -> None:
    """However short the session is, and however late the member heard of the rebalance."""
    times = HandoverTimes.within(session_ms, heartbeat_ms)
    assert 0 < heartbeat_ms + 1_000 * sum(times) <= 0.9 * session_ms + 1e-6
    assert times.carry_out_s == pytest.approx(2 * times.settle_s) == pytest.approx(2 * times.commit_s)
