"""Strategy `earliest`: the oldest undecided item opens a set; every other lane adds its earliest item."""

from __future__ import annotations

from streams.join.items import Item
from streams.join.state import Entry, Head, LaneQueue, StreamState
from streams.join.strategy import Strategy


class Earliest(Strategy):
    """The oldest undecided item opens a set; other lanes add their earliest item up to its end + tolerance.

        tolerance 50        opener                limit = opener's end + 50
                               |                           |
        image  ----------------o-----------------------------------o-------->
        text   -------------------------o------------------------------o---->   its earliest: member
        audio  ------------------------------------------------o------------>   past the limit: missing
                               |<-------- tolerance ------>|

    Decided when each present lane's watermark has reached its member (>=: a later item of the same time has
    a higher offset) and each missing lane's watermark is past the limit (>: an item at the limit is a member).
    """

    def heads(self, stream: StreamState) -> list[Head]:
        opener = _oldest(stream)
        limit_ms = opener.end_ms + self.settings.tolerance_ms
        head = Head(opener.time_ms, opener.time_ms, 2**63, span_ms=opener.end_ms - opener.time_ms)
        for lane in stream.lanes:
            watermark_ms = lane.watermark_ms
            held = lane.held
            if held and held[0][0] <= limit_ms:
                entry = held[0]
                head.picked.append((lane, entry))
                head.arrived_ms = min(head.arrived_ms, entry[3])
                if watermark_ms < entry[0]:
                    head.unsettled.append(lane)
            else:
                head.missing.append(lane.name)
                if watermark_ms <= limit_ms:
                    head.unsettled.append(lane)
        return [head]

    def take(self, stream: StreamState, head: Head) -> list[Item]:
        for lane, _ in head.picked:
            lane.held.pop(0)
        stream.n_held -= len(head.picked)
        return [entry[2] for _, entry in head.picked]


def _oldest(stream: StreamState) -> Item:
    """Return the oldest held item by (time, lane order, offset)."""
    oldest: Entry | None = None
    for lane in stream.lanes:
        if lane.held and (oldest is None or lane.held[0][0] < oldest[0]):
            oldest = lane.held[0]
    if oldest is None:
        raise LookupError(f"stream {stream.name!r} holds nothing")
    return oldest[2]


def opener_of(head: Head) -> tuple[LaneQueue, Entry]:
    """Return the picked item that opened the set: the first in lane order at the set's start."""
    return next(pair for pair in head.picked if pair[1][0] == head.start_ms)
