"""When a set may stop waiting: `max_wait_ms` of silence that the join has proof of.

set's first item    last arrival of the missing lane     topic last behind       deadline
----|--------------------------|------------------------------|---------------------|------->
                                                              |<--- max_wait_ms --->|
and then: the high watermark asked for at or after the deadline, and everything below it joined.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from streams.join.catchup import CatchUp
from streams.join.state import Head, StreamState


class Timers:
    """The timers of one partition number, one a stream, and how far its topics are caught up."""

    def __init__(self, max_wait_ms: int) -> None:
        self._max_wait_ms = max_wait_ms
        self._topics: dict[str, CatchUp] = {}
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, None] = {}
        self._due_topics: set[str] = set()
        self._recheck = False

    def topic(self, topic: str) -> CatchUp:
        """How far the join is behind `topic`."""
        catch_up = self._topics.get(topic)
        if catch_up is None:
            catch_up = self._topics[topic] = CatchUp()
        return catch_up

    def high_water(self, topic: str, high_water: int | None, asked_ms: int, now_ms: int) -> None:
        """Take the broker's answer for one topic (None: there was none)."""
        self._recheck |= self.topic(topic).high_water(high_water, asked_ms, now_ms)

    def joined(self, topic: str, next_offset: int, now_ms: int) -> None:
        """Every offset of `topic` below `next_offset` has reached the join."""
        self._recheck |= self.topic(topic).joined(next_offset, now_ms)

    def due_topics(self) -> set[str]:
        """The topics whose high watermark must be asked for, for timers that are due."""
        return set(self._due_topics) if self._due else set()

    def next_deadline_ms(self) -> int | None:
        """When to look at a timer next; those that are due wait for `high_water`, not for time."""
        return self._heap[0][0] if self._heap else None

    def awake(self, now_ms: int) -> list[str]:
        """The streams to look at again: their time has come, or news of their topics has."""
        names: list[str] = []
        for catch_up in self._topics.values():
            catch_up.tick(now_ms)
        if self._recheck:
            self._recheck = False
            names.extend(self._due)
            self._due.clear()
            self._due_topics.clear()
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            names.append(heappop(heap)[1])
        return names

    def deadline_ms(self, head: Head) -> int:
        """When `head` has waited long enough, as far as is known now."""
        latest_ms = head.arrived_ms
        for lane in head.unsettled:
            latest_ms = max(latest_ms, lane.arrived_ms, self.topic(lane.topic).last_behind_ms)
        return latest_ms + self._max_wait_ms

    def expired(self, head: Head, now_ms: int) -> bool:
        """Whether `head` has waited long enough, with proof that its lanes had nothing more to say."""
        deadline_ms = self.deadline_ms(head)
        if deadline_ms > now_ms:
            return False
        return all(self.topic(lane.topic).confirmed_ms >= deadline_ms for lane in head.unsettled)

    def wait(self, stream: StreamState, heads: list[Head], now_ms: int) -> None:
        """See to it that a stream whose heads all wait is looked at when that can change."""
        earliest_ms = 2**63
        for head in heads:
            deadline_ms = self.deadline_ms(head)
            if deadline_ms > now_ms:
                earliest_ms = min(earliest_ms, deadline_ms)
            else:
                self._due[stream.name] = None
                self._due_topics.update(lane.topic for lane in head.unsettled)
        if earliest_ms < 2**63 and (not now_ms < stream.timer_ms <= earliest_ms):
            stream.timer_ms = earliest_ms
            heappush(self._heap, (earliest_ms, stream.name))

    def compact(self, streams: dict[str, StreamState]) -> None:
        """Drop the entries of streams that are gone, once they outnumber the others."""
        if len(self._heap) > 2 * len(streams) + 1_000:
            self._heap = [(state.timer_ms, name) for name, state in streams.items() if state.timer_ms]
            heapify(self._heap)
