"""Strategy `tumbling`: all items of a stream in one window of time, lists per lane."""

from __future__ import annotations

from bisect import bisect_left

from streams.join.model import Item
from streams.join.state import Entry, Head, StreamState
from streams.join.strategy import Strategy


class Tumbling(Strategy):
    """All items of a stream whose time lies in [n * size, (n + 1) * size), whatever their duration.

        size 1000         1000                    2000                    3000
        image  -------------|--o-----o-----o--------|--o---------------------|---->
        text   -------------|-----------o-----------o------------------------|---->   2000: next window
        audio  -------------|-----------------------|------------------------|---->   missing in both
                            |<---- one answer ----->|<----- the next ------->|

    Decided when every lane's watermark has reached the window's end (>=: the end belongs to the next).
    """

    def heads(self, stream: StreamState) -> list[Head]:
        size_ms = self.settings.size_ms
        first_ms = min(lane.held[0][0] for lane in stream.lanes if lane.held)
        start_ms = first_ms // size_ms * size_ms
        end_ms = start_ms + size_ms
        head = Head(start_ms, end_ms, stream.first_arrival_ms[start_ms], span_ms=size_ms)
        self._renew(head, stream)
        for lane in stream.lanes:
            if not lane.held or lane.held[0][0] >= end_ms:
                head.missing.append(lane.name)
            if lane.watermark_ms < end_ms:
                head.unsettled.append(lane)
        return [head]

    def hold(self, stream: StreamState, place: int, entry: Entry) -> None:
        super().hold(stream, place, entry)
        start_ms = entry[0] // self.settings.size_ms * self.settings.size_ms
        stream.first_arrival_ms.setdefault(start_ms, entry[3])

    def take(self, stream: StreamState, head: Head) -> list[Item]:
        end_ms = head.start_ms + self.settings.size_ms
        members: list[Item] = []
        for lane in stream.lanes:
            n_inside = bisect_left(lane.held, (end_ms,))
            members.extend(entry[2] for entry in lane.held[:n_inside])
            del lane.held[:n_inside]
        stream.n_held -= len(members)
        stream.first_arrival_ms.pop(head.start_ms, None)
        return members

    def _renew(self, head: Head, stream: StreamState) -> None:
        """The wait counts from the arrival of the first item past the window's end, else from the last arrival."""
        later = [arrived_ms for start, arrived_ms in stream.first_arrival_ms.items() if start > head.start_ms]
        if later:
            head.arrived_ms = min(later)
        else:
            head.renewed_ms = max(lane.moved_ms for lane in stream.lanes)
