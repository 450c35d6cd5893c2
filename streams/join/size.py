"""How much of the decision log a set takes: its members, by what their names take there at most."""

from __future__ import annotations

MAX_SET_BYTES = 400_000
"""The most that `max_set_bytes` may be: a set that is given up takes up to 1.6 times as much in one entry."""
_NUMBERS_BYTES = 64
"""Offset, times, hash and topic of a member."""


def item_bytes(stream: str, lane: str) -> int:
    """What one item of this lane takes at most."""
    return _NUMBERS_BYTES + len(stream.encode()) + len(lane.encode())
