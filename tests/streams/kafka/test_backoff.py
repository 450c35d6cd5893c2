"""streams/kafka/retry.py."""

from __future__ import annotations

import pytest

from streams.kafka.retry import Backoff


@pytest.mark.parametrize(("drawn", "share"), [(0.0, 0.5), (0.5, 0.75)])
def test_each_failure_doubles_the_wait_up_to_the_limit(drawn: float, share: float) -> None:
    """Between half of it and all of it; however many failures there were, it is a number."""
    backoff = Backoff(0.2, 5.0, draw=lambda: drawn)
    assert [backoff.next_s() / share for _ in range(7)] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    for _ in range(2_000):
        backoff.next_s()
    assert backoff.next_s() / share == pytest.approx(5.0)


def test_a_success_begins_anew() -> None:
    """What fails later waits shortly again."""
    backoff = Backoff(0.2, 5.0, draw=lambda: 0.0)
    for _ in range(5):
        backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == pytest.approx(0.1)
