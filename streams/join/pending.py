"""What is undecided in a join, for whoever measures it. Costs a look at each stream that holds something."""

from __future__ import annotations

from collections.abc import Iterable

from streams.join.lane_clock import NEVER_MS
from streams.join.state import StreamState


def n_pending_sets(streams: Iterable[StreamState]) -> int:
    """How many sets these streams will still give, at least: no set takes two items of a lane, or two windows."""
    return sum(
        len(stream.first_arrival_ms) or max((len(lane.held) for lane in stream.lanes), default=0) for stream in streams
    )


def slowest_watermarks(streams: Iterable[StreamState]) -> dict[str, int]:
    """By topic the watermark in ms that is furthest behind; lanes that were never heard of have none."""
    slowest: dict[str, int] = {}
    for stream in streams:
        for lane in stream.lanes:
            if lane.watermark_ms != NEVER_MS:
                slowest[lane.topic] = min(lane.watermark_ms, slowest.get(lane.topic, lane.watermark_ms))
    return slowest
