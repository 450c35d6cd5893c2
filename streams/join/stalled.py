"""Lanes that send events and whose time hardly moves on: sets of their streams are decided without them, by timeout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streams.join.state import LaneQueue

REMEMBERED_MS = 60_000
"""For so long after such a timeout a lane is told of."""
MAX_LANES = 100
"""So many are told of; the operator who mends these sees the others then."""


class StalledLane(NamedTuple):
    """One of them; `watermark_ms` is where its time stands."""

    stream: str
    lane: str
    watermark_ms: int


class Stalled:
    """The lanes that were heard of while sets waited for them in vain. Times are the join's monotonic clock."""

    def __init__(self, max_wait_ms: int) -> None:
        self._max_wait_ms = max_wait_ms
        self._lanes: dict[tuple[str, str], tuple[int, int]] = {}

    def timed_out(self, stream: str, lanes: Iterable[LaneQueue], now_ms: int) -> None:
        """Something of a stream is decided by timeout, and these lanes have not come so far."""
        for lane in lanes:
            if lane.heard_ms + self._max_wait_ms > now_ms:
                self._lanes.pop((stream, lane.name), None)
                self._lanes[stream, lane.name] = lane.watermark_ms, now_ms
        while len(self._lanes) > MAX_LANES:
            del self._lanes[next(iter(self._lanes))]

    def lanes(self, now_ms: int) -> list[StalledLane]:
        """Those of the last minute."""
        return [
            StalledLane(stream, lane, watermark_ms)
            for (stream, lane), (watermark_ms, at_ms) in self._lanes.items()
            if now_ms - at_ms <= REMEMBERED_MS
        ]
