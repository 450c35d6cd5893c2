"""Strategy `tumbling`: all items of a stream in one time window."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from heapq import merge

from streams.join.items import Item
from streams.join.settings import item_bytes
from streams.join.state import Entry, Head, LaneQueue, StreamState
from streams.join.strategy import Strategy


class Tumbling(Strategy):
    """All items of a stream with a time in [n * size, (n + 1) * size), whatever their duration.

        size 1000         1000                    2000                    3000
        image  -------------|--o-----o-----o--------|--o---------------------|---->
        text   -------------|-----------o-----------o------------------------|---->   2000: next window
        audio  -------------|-----------------------|------------------------|---->   missing in both
                            |<---- one answer ----->|<----- the next ------->|

    Decided when every lane's watermark has reached the window's end (>=: the end belongs to the next window). A window
    with more than `max_set_bytes` gives several sets, each of the earliest items that fit, by (time, lane order,
    offset). If such a set is forced, its bound is the time of the first item left out, not the window's end.
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

    def limit(self, stream: StreamState, head: Head) -> None:
        inside = [lane.held[: self._n_inside(lane, head)] for lane in stream.lanes]
        sizes = [item_bytes(stream.name, lane.name) for lane in stream.lanes]
        room = self.settings.max_set_bytes
        if sum(size * len(held) for size, held in zip(sizes, inside, strict=True)) <= room:
            return
        by_time = ([(entry[0], place, entry) for entry in held] for place, held in enumerate(inside))
        for time_ms, place, entry in merge(*by_time):
            room -= sizes[place]
            if room < 0 and head.picked:
                head.bound_ms = time_ms
                break
            head.picked.append((stream.lanes[place], entry))
        present = {lane.name for lane, _ in head.picked}
        head.missing = [lane.name for lane in stream.lanes if lane.name not in present]

    def _n_inside(self, lane: LaneQueue, head: Head) -> int:
        return bisect_left(lane.held, (head.start_ms + self.settings.size_ms,))

    def take(self, stream: StreamState, head: Head) -> list[Item]:
        n_picked = Counter(lane.name for lane, _ in head.picked)
        members: list[Item] = []
        for lane in stream.lanes:
            n_inside = n_picked[lane.name] if head.picked else self._n_inside(lane, head)
            members.extend(entry[2] for entry in lane.held[:n_inside])
            del lane.held[:n_inside]
        stream.n_held -= len(members)
        if not any(self._n_inside(lane, head) for lane in stream.lanes):
            stream.first_arrival_ms.pop(head.start_ms, None)
        return members

    def _renew(self, head: Head, stream: StreamState) -> None:
        """Count the wait from the arrival of the first item past the window's end, else from the last arrival."""
        later = [arrived_ms for start, arrived_ms in stream.first_arrival_ms.items() if start > head.start_ms]
        if later:
            head.arrived_ms = min(later)
        else:
            head.renewed_ms = max(lane.moved_ms for lane in stream.lanes)
