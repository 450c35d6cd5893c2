"""streams/partition/decode.py: a second source on one lane is noticed and counted."""

from __future__ import annotations

import pytest

from streams.partition import decode as sources
from streams.partition.decode import SourceTracker


def test_a_second_source_on_a_lane_is_told_with_the_first() -> None:
    """Each change is counted; other lanes and other streams have sources of their own."""
    seen = SourceTracker()
    assert seen.changed("lobby", "image", "urn:a") is None
    assert seen.changed("lobby", "text", "urn:b") is None
    assert seen.changed("street", "image", "urn:b") is None
    assert seen.changed("lobby", "image", "urn:a") is None
    assert seen.n_changes == 0
    assert seen.changed("lobby", "image", "urn:b") == "urn:a"
    assert seen.changed("lobby", "image", "urn:a") == "urn:b"
    assert seen.n_changes == 2


def test_only_so_many_lanes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten: memory is bounded whatever names come."""
    monkeypatch.setattr(sources, "MAX_LANES", 2)
    seen = SourceTracker()
    for stream in ("a", "b", "c"):
        seen.changed(stream, "image", "urn:a")
    assert seen.changed("c", "image", "urn:b") == "urn:a"
    assert seen.changed("a", "image", "urn:b") is None
