"""streams/kafka/retry.py."""

from __future__ import annotations

import logging

import pytest

from streams.kafka.retry import Trouble


def test_what_lasts_is_said_twice_in_all(caplog: pytest.LogCaptureFixture) -> None:
    """When it begins, with why, and when it ends, with how long it took; why it fails now is always known."""
    now_s = 0.0
    trouble = Trouble(logging.getLogger("test"), "reading", lambda: now_s)
    trouble.ends()
    for error in ("away", "away", "refused"):
        trouble.begins(error)
        now_s += 600
    assert trouble.error == "refused"
    trouble.ends()
    trouble.ends()
    assert trouble.error == ""
    assert [one.getMessage() for one in caplog.records] == [
        "reading fails, trying again: away",
        "reading works again, after 1800.0 s",
    ]
