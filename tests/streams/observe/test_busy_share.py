"""streams/meter.py: a share over a window."""

from __future__ import annotations

import pytest

from streams.observe.worker_state import WINDOW_S, BusyShare


def test_the_share_is_of_the_last_half_minute() -> None:
    """Busy all the time until 100, idle since: after half of the window, half."""
    busy = BusyShare()
    for second in range(int(100 + WINDOW_S / 2) + 1):
        busy.look(second, min(100, second))
    assert busy.share == pytest.approx(0.5)
    for second in range(int(100 + WINDOW_S / 2), int(101 + WINDOW_S)):
        busy.look(second, 100)
    assert busy.share == 0
    assert len(busy._seen) <= WINDOW_S + 2


def test_before_two_looks_nothing_is_known() -> None:
    """A worker that has just begun is not busy, and divides by nothing."""
    busy = BusyShare()
    assert busy.share == 0
    busy.look(1, 5)
    busy.look(1, 5)
    assert busy.share == 0
