"""When a set stops waiting: after `max_wait_ms` of proven silence.

set's first item    last arrival of the missing lane     topic last behind       deadline
----|--------------------------|------------------------------|---------------------|------->
                                                              |<--- max_wait_ms --->|
and then: the high watermark is asked for at or after the deadline, and everything below it has been joined.

A lane counts as silent if its events do not advance in time. One that advances slowly renews the wait, for at most
`MAX_RENEWALS` times `max_wait_ms` since the set became the stream's next, plus the time that the set covers. This never
cuts a backlog beside a live lane, whose sets are decided one after the other.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from streams.join.lane_clock import NEVER_MS
from streams.join.state import Head, LaneQueue, StreamState

BEHIND_AFTER_MS = 500
"""A partition is not caught up if reaching a high watermark takes longer than this."""

MAX_PENDING = 8


class CatchUp:
    """Whether the join is caught up with one topic's partition. Times are the caller's monotonic clock."""

    __slots__ = ("_joined", "_pending", "confirmed_ms", "last_behind_ms")

    def __init__(self) -> None:
        self._joined = 0
        self._pending: deque[tuple[int, int]] = deque()
        self.confirmed_ms = NEVER_MS
        self.last_behind_ms = NEVER_MS

    def high_water(self, high_water: int | None, asked_ms: int, now_ms: int) -> bool:
        """Take the broker's answer (None: none); return whether a field changed."""
        self.tick(now_ms)
        if high_water is None:
            self.last_behind_ms = now_ms
            return True
        if len(self._pending) == MAX_PENDING:
            self._pending.pop()  # the older open question proves more
        self._pending.append((asked_ms, high_water))
        return self._confirm()

    def joined(self, next_offset: int, now_ms: int) -> bool:
        """Note that every offset below `next_offset` was joined; return whether a field changed."""
        self.tick(now_ms)
        self._joined = max(self._joined, next_offset)
        return self._confirm()

    def tick(self, now_ms: int) -> None:
        """Note that the partition is behind if an answer has not been reached for too long."""
        if self._pending and now_ms - self._pending[0][0] > BEHIND_AFTER_MS:
            self.last_behind_ms = now_ms

    def _confirm(self) -> bool:
        changed = False
        while self._pending and self._joined >= self._pending[0][1]:
            asked_ms, _ = self._pending.popleft()
            self.confirmed_ms = max(self.confirmed_ms, asked_ms)
            changed = True
        return changed


MAX_RENEWALS = 5


class Timers:
    """The timers of one partition number, one a stream, and whether its topics are caught up."""

    def __init__(self, max_wait_ms: int) -> None:
        self._max_wait_ms = max_wait_ms
        self._topics: dict[str, CatchUp] = {}
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, None] = {}
        self._due_topics: set[str] = set()
        self._recheck = False

    def topic(self, topic: str) -> CatchUp:
        """Return the catch-up state of `topic`."""
        catch_up = self._topics.get(topic)
        if catch_up is None:
            catch_up = self._topics[topic] = CatchUp()
        return catch_up

    def high_water(self, topic: str, high_water: int | None, asked_ms: int, now_ms: int) -> None:
        """Take the broker's answer for one topic (None: none)."""
        self._recheck |= self.topic(topic).high_water(high_water, asked_ms, now_ms)

    def joined(self, topic: str, next_offset: int, now_ms: int) -> None:
        """Note that every offset of `topic` below `next_offset` was joined."""
        self._recheck |= self.topic(topic).joined(next_offset, now_ms)

    def due_topics(self) -> set[str]:
        """Return the topics whose high watermark due timers need."""
        return set(self._due_topics) if self._due else set()

    def awake(self, now_ms: int) -> list[str]:
        """Return the streams to check again: their timer is due, or their topics have news."""
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

    def deadline_ms(self, stream: StreamState, head: Head, now_ms: int) -> int:
        """Return the deadline of `head`, as known at `now_ms`."""
        behind_ms = self._behind_ms(head.unsettled)
        renewed_ms = min(_renewed_ms(head), self._most_ms(stream, head, now_ms))
        return max(head.arrived_ms, behind_ms, renewed_ms) + self._max_wait_ms

    def longest_ms(self, head: Head) -> int:
        """Return how long `head` may renew its wait in total, beyond the time that it covers."""
        return head.span_ms + MAX_RENEWALS * self._max_wait_ms

    def overdue(self, stream: StreamState, arrived_ms: int, longest_ms: int, now_ms: int) -> bool:
        """Tell whether an arrival has waited for `longest_ms`, with proof that its stream has nothing more."""
        deadline_ms = max(arrived_ms, self._behind_ms(stream.lanes)) + longest_ms
        if deadline_ms > now_ms:
            return False
        return self.is_caught_up(stream.name, {lane.topic for lane in stream.lanes}, deadline_ms)

    def is_caught_up(self, stream: str, topics: set[str], at_ms: int) -> bool:
        """Tell whether all that `topics` had at `at_ms` was joined; ask for high watermarks if unknown."""
        behind = self._behind(topics, at_ms)
        if behind:
            self._ask(stream, behind)
        return not behind

    def _behind(self, topics: set[str], at_ms: int) -> set[str]:
        """Those of the topics of which something that was there at `at_ms` may not have reached the join."""
        return {topic for topic in topics if self.topic(topic).confirmed_ms < at_ms}

    def _behind_ms(self, lanes: list[LaneQueue]) -> int:
        """Return when a topic of these lanes was last behind."""
        return max((self.topic(lane.topic).last_behind_ms for lane in lanes), default=NEVER_MS)

    def _ask(self, stream: str, topics: set[str]) -> None:
        """Request the high watermarks of these topics, and check `stream` again when they come."""
        self._due[stream] = None
        self._due_topics |= topics

    def _most_ms(self, stream: StreamState, head: Head, now_ms: int) -> int:
        """Return the time after which arrivals no longer renew the wait of `head`."""
        since_ms = max(stream.waits.since_ms(head, now_ms), self._behind_ms(head.unsettled))
        return since_ms + self.longest_ms(head) - self._max_wait_ms

    def wear_out(self, stream: StreamState, head: Head, now_ms: int) -> None:
        """Note a timeout of `head`; if only the limit of renewals caused it, later heads may not renew either."""
        if _renewed_ms(head) > self._most_ms(stream, head, now_ms):
            stream.waits.wear_out(head, now_ms)

    def expired(self, stream: StreamState, head: Head, now_ms: int) -> bool:
        """Tell whether `head` has waited long enough, with proof that its lanes have nothing more."""
        deadline_ms = self.deadline_ms(stream, head, now_ms)
        return deadline_ms <= now_ms and not self._behind({lane.topic for lane in head.unsettled}, deadline_ms)

    def wait(self, stream: StreamState, heads: list[Head], now_ms: int) -> None:
        """Schedule the next check of a stream whose heads all wait."""
        earliest_ms = 2**63
        for head in heads:
            stream.waits.wait(head, now_ms)
            deadline_ms = self.deadline_ms(stream, head, now_ms)
            if deadline_ms > now_ms:
                earliest_ms = min(earliest_ms, deadline_ms)
            else:
                self._ask(stream.name, {lane.topic for lane in head.unsettled})
        if earliest_ms < 2**63 and (not now_ms < stream.timer_ms <= earliest_ms):
            stream.timer_ms = earliest_ms
            heappush(self._heap, (earliest_ms, stream.name))

    def compact(self, streams: dict[str, StreamState]) -> None:
        """Drop the entries of gone streams once they outnumber the others."""
        if len(self._heap) > 2 * len(streams) + 1_000:
            self._heap = [(state.timer_ms, name) for name, state in streams.items() if state.timer_ms]
            heapify(self._heap)


def _renewed_ms(head: Head) -> int:
    """Return the last arrival that brings `head` nearer to its decision."""
    return max(head.renewed_ms, max((lane.moved_ms for lane in head.unsettled), default=NEVER_MS))


class AwaitedTopics:
    """The topics of the lanes that undecided sets wait for, by stream."""

    def __init__(self, max_wait_ms: int) -> None:
        self._max_wait_ms = max_wait_ms
        self._by_stream: dict[str, tuple[str, ...]] = {}
        self._n_streams: Counter[str] = Counter()
        self._alive_until_ms = NEVER_MS

    def wait(self, stream: str, heads: list[Head]) -> None:
        """Set a stream's waiting heads."""
        unsettled = heads[0].unsettled if len(heads) == 1 else [lane for head in heads for lane in head.unsettled]
        for lane in unsettled:
            if lane.moved_ms + self._max_wait_ms > self._alive_until_ms:
                self._alive_until_ms = lane.moved_ms + self._max_wait_ms
        topics = tuple([lane.topic for lane in unsettled])
        known = self._by_stream.get(stream)
        if topics != known:
            self._n_streams.update(topics)
            self._n_streams.subtract(known or ())
            self._by_stream[stream] = topics

    def drop(self, stream: str) -> None:
        """Remove a stream with nothing undecided."""
        self._n_streams.subtract(self._by_stream.pop(stream, ()))

    @property
    def topics(self) -> set[str]:
        """Return the topics with a lane that an undecided set waits for."""
        return {topic for topic, n_streams in self._n_streams.items() if n_streams > 0}

    def is_alive(self, now_ms: int) -> bool:
        """Tell whether a lane that a set waits for advanced within `max_wait_ms`, so that its item may still come."""
        return now_ms < self._alive_until_ms


REMEMBERED_MS = 60_000
"""How long after such a timeout a lane is reported."""
MAX_LANES = 100
"""How many are reported at a time; fixing these shows the others."""


class StalledLane(NamedTuple):
    """A stalled lane; its time stands at `watermark_ms`."""

    stream: str
    lane: str
    watermark_ms: int


class Stalled:
    """Lanes that sent events while sets timed out waiting for them. Times are the join's monotonic clock."""

    def __init__(self, max_wait_ms: int) -> None:
        self._max_wait_ms = max_wait_ms
        self._lanes: dict[tuple[str, str], tuple[int, int]] = {}

    def timed_out(self, stream: str, lanes: Iterable[LaneQueue], now_ms: int) -> None:
        """Note a timeout of a stream and the lanes that had not reached it."""
        for lane in lanes:
            if lane.heard_ms + self._max_wait_ms > now_ms:
                self._lanes.pop((stream, lane.name), None)
                self._lanes[stream, lane.name] = lane.watermark_ms, now_ms
        while len(self._lanes) > MAX_LANES:
            del self._lanes[next(iter(self._lanes))]

    def lanes(self, now_ms: int) -> list[StalledLane]:
        """Return the stalled lanes of the last minute."""
        return [
            StalledLane(stream, lane, watermark_ms)
            for (stream, lane), (watermark_ms, at_ms) in self._lanes.items()
            if now_ms - at_ms <= REMEMBERED_MS
        ]
