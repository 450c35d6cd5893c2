"""When a set may stop waiting: `max_wait_ms` of silence that the join has proof of.

set's first item    last arrival of the missing lane     topic last behind       deadline
----|--------------------------|------------------------------|---------------------|------->
                                                              |<--- max_wait_ms --->|
and then: the high watermark asked for at or after the deadline, and everything below it joined.

A lane that sends events and whose time stands still is silent; one whose time crawls renews the wait, but only for
`MAX_RENEWALS` times `max_wait_ms` in all since the set came to be the stream's next, beyond the time that it covers. A
backlog beside a live lane, whose sets are decided one after the other, is never cut by that.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from streams.join.lane_clock import NEVER_MS
from streams.join.state import Head, LaneQueue, StreamState

BEHIND_AFTER_MS = 500
"""A high watermark that takes longer than this to be reached shows that the partition is not caught up."""

MAX_PENDING = 8


class CatchUp:
    """How far the join is behind one topic's partition. Times are the caller's monotonic clock."""

    __slots__ = ("_joined", "_pending", "confirmed_ms", "last_behind_ms")

    def __init__(self) -> None:
        self._joined = 0
        self._pending: deque[tuple[int, int]] = deque()
        self.confirmed_ms = NEVER_MS
        self.last_behind_ms = NEVER_MS

    def high_water(self, high_water: int | None, asked_ms: int, now_ms: int) -> bool:
        """Take an answer of the broker, None where it gave none; True if this changes a field."""
        self.tick(now_ms)
        if high_water is None:
            self.last_behind_ms = now_ms
            return True
        if len(self._pending) == MAX_PENDING:
            self._pending.pop()  # an older question that is still open says more than a newer one
        self._pending.append((asked_ms, high_water))
        return self._confirm()

    def joined(self, next_offset: int, now_ms: int) -> bool:
        """Every offset below `next_offset` has reached the join; True if this changes a field."""
        self.tick(now_ms)
        self._joined = max(self._joined, next_offset)
        return self._confirm()

    def tick(self, now_ms: int) -> None:
        """Notice that an answer has stayed out of reach for too long."""
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

    def deadline_ms(self, stream: StreamState, head: Head, now_ms: int) -> int:
        """When `head` has waited long enough, as far as is known at `now_ms`."""
        behind_ms = self._behind_ms(head.unsettled)
        renewed_ms = min(_renewed_ms(head), self._most_ms(stream, head, now_ms))
        return max(head.arrived_ms, behind_ms, renewed_ms) + self._max_wait_ms

    def longest_ms(self, head: Head) -> int:
        """For how long `head` may renew its wait in all, beyond the time that it covers."""
        return head.span_ms + MAX_RENEWALS * self._max_wait_ms

    def overdue(self, stream: StreamState, arrived_ms: int, longest_ms: int, now_ms: int) -> bool:
        """Whether what arrived then has waited for `longest_ms`, with proof that its stream had nothing more to say."""
        deadline_ms = max(arrived_ms, self._behind_ms(stream.lanes)) + longest_ms
        if deadline_ms > now_ms:
            return False
        return self.is_caught_up(stream.name, {lane.topic for lane in stream.lanes}, deadline_ms)

    def is_caught_up(self, stream: str, topics: set[str], at_ms: int) -> bool:
        """Whether all that `topics` had at `at_ms` has reached the join; asks for high watermarks if not known."""
        behind = self._behind(topics, at_ms)
        if behind:
            self._ask(stream, behind)
        return not behind

    def _behind(self, topics: set[str], at_ms: int) -> set[str]:
        """Those of the topics of which something that was there at `at_ms` may not have reached the join."""
        return {topic for topic in topics if self.topic(topic).confirmed_ms < at_ms}

    def _behind_ms(self, lanes: list[LaneQueue]) -> int:
        """When a topic of these lanes was behind last."""
        return max((self.topic(lane.topic).last_behind_ms for lane in lanes), default=NEVER_MS)

    def _ask(self, stream: str, topics: set[str]) -> None:
        """Ask for the high watermarks of these topics; `stream` is looked at again then."""
        self._due[stream] = None
        self._due_topics |= topics

    def _most_ms(self, stream: StreamState, head: Head, now_ms: int) -> int:
        """What arrives later does not renew the wait of `head` any more."""
        since_ms = max(stream.waits.since_ms(head, now_ms), self._behind_ms(head.unsettled))
        return since_ms + self.longest_ms(head) - self._max_wait_ms

    def wear_out(self, stream: StreamState, head: Head, now_ms: int) -> None:
        """`head` is decided by timeout; if only because no further arrival renews its wait, those behind it know."""
        if _renewed_ms(head) > self._most_ms(stream, head, now_ms):
            stream.waits.wear_out(head, now_ms)

    def expired(self, stream: StreamState, head: Head, now_ms: int) -> bool:
        """Whether `head` has waited long enough, with proof that its lanes had nothing more to say."""
        deadline_ms = self.deadline_ms(stream, head, now_ms)
        return deadline_ms <= now_ms and not self._behind({lane.topic for lane in head.unsettled}, deadline_ms)

    def wait(self, stream: StreamState, heads: list[Head], now_ms: int) -> None:
        """See to it that a stream whose heads all wait is looked at when that can change."""
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
        """Drop the entries of streams that are gone, once they outnumber the others."""
        if len(self._heap) > 2 * len(streams) + 1_000:
            self._heap = [(state.timer_ms, name) for name, state in streams.items() if state.timer_ms]
            heapify(self._heap)


def _renewed_ms(head: Head) -> int:
    """When something last arrived that brings `head` nearer to its decision."""
    return max(head.renewed_ms, max((lane.moved_ms for lane in head.unsettled), default=NEVER_MS))


class AwaitedTopics:
    """The topics of the lanes that undecided sets wait for, stream by stream."""

    def __init__(self, max_wait_ms: int) -> None:
        self._max_wait_ms = max_wait_ms
        self._by_stream: dict[str, tuple[str, ...]] = {}
        self._n_streams: Counter[str] = Counter()
        self._alive_until_ms = NEVER_MS

    def wait(self, stream: str, heads: list[Head]) -> None:
        """These heads of a stream wait."""
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
        """Nothing of a stream is undecided any more."""
        self._n_streams.subtract(self._by_stream.pop(stream, ()))

    @property
    def topics(self) -> set[str]:
        """Topics with a lane that an undecided set waits for."""
        return {topic for topic, n_streams in self._n_streams.items() if n_streams > 0}

    def is_alive(self, now_ms: int) -> bool:
        """Whether a lane that a set waits for moved on within `max_wait_ms`: what is missing may just come."""
        return now_ms < self._alive_until_ms


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
