"""What the undecided sets of one partition number wait for, so that reading can be told what would help them.

image  o o o o o o o o . . . backlog      text  o . . . trickles in, caught up
       |<--- wait for text --->|          reading on in `image` helps none of them: it only fills the room
"""

from __future__ import annotations

from collections import Counter

from streams.join.lane_clock import NEVER_MS
from streams.join.state import Head


class Awaits:
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
