"""Laws of `syncline.deadletter.reader`: which records of the media topics are retries."""

from __future__ import annotations

from syncline.deadletter.reader import retried_ids


def test_retries_are_found_by_what_they_say() -> None:
    """Only those that are asked for, and whatever else the headers hold."""
    records = [
        [("ce_retryof", b"a")],
        [("ce_retryof", b"other")],
        [("ce_retryof", None)],
        [("ce_retryof", b"\xff")],
        [],
    ]
    assert retried_ids(records, {"a", "b"}) == {"a"}
