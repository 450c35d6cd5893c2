"""What the join remembers of each (stream, lane) once its items are gone: a watermark and recent ids.

Everything here follows from one lane's own log, in its own order: no other lane, no clock on the wall.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable
from heapq import heappop, heappush
from typing import Literal

import msgspec

from streams.join.model import Item
from streams.join.settings import JoinSettings

SWEEP_AT_MOST = 1_000
"""Lanes that one record may sweep, so that 100,000 idle streams do not stop the event loop (a lane: 3 us)."""

NEVER_MS = -(2**63)
"""Before every time: the watermark of a lane that was never seen."""

Probe = tuple[int, int, tuple[tuple[int, int], ...]]
"""(opener's time, opener's end, other members' (time, end)): a set that may turn out to be a suspect pair."""


class LaneState(msgspec.Struct, frozen=True, array_like=True):
    """One (stream, lane) as it goes into a snapshot; `recent` holds (id hash, time in ms)."""

    stream: str
    lane: str
    topic: str
    max_time_ms: int
    append_ms: int
    recent: tuple[tuple[int, int], ...] = ()


class LaneClock:
    """Watermark and recent ids of one (stream, lane).

    `watermark_ms` is the largest time seen minus the lane's `out_of_order_ms`; it never goes back.
    `recent` maps the id hashes at or above the watermark to their time.
    """

    __slots__ = (
        "_by_time",
        "append_ms",
        "max_time_ms",
        "out_of_order_ms",
        "probe",
        "queued_ms",
        "recent",
        "watermark_ms",
    )

    def __init__(self, out_of_order_ms: int, append_ms: int) -> None:
        self.out_of_order_ms = out_of_order_ms
        self.append_ms = append_ms
        self.queued_ms = append_ms
        self.reset()

    def reset(self) -> None:
        """Know nothing again; references to this clock stay good."""
        self.max_time_ms = NEVER_MS
        self.watermark_ms = NEVER_MS
        self.recent: dict[int, int] = {}
        self.probe: Probe | None = None
        self._by_time: list[tuple[int, int]] | None = [] if self.out_of_order_ms else None

    def see(self, time_ms: int, id_hash: int) -> None:
        """Raise the watermark to what `time_ms` says, remember the id, drop ids that fell below."""
        if time_ms > self.max_time_ms:
            self.max_time_ms = time_ms
            self.watermark_ms = time_ms - self.out_of_order_ms
            self._prune()
        if self.recent.get(id_hash, NEVER_MS) < time_ms:
            self.recent[id_hash] = time_ms
            if self._by_time is not None:
                heappush(self._by_time, (time_ms, id_hash))

    def _prune(self) -> None:
        by_time = self._by_time
        if by_time is None:
            # Without disorder the watermark is the maximum itself: all that is known lies below a new one.
            self.recent.clear()
            return
        while by_time and by_time[0][0] < self.watermark_ms:
            time_ms, id_hash = heappop(by_time)
            if self.recent.get(id_hash) == time_ms:  # else the same id came again with a later time
                del self.recent[id_hash]


class Clocks:
    """The lane clocks of one partition number, forgotten when their topic has moved on by `stream_ttl_ms`.

    Use `judge`, then `move` for whatever is neither late nor unexpected. A lane is forgotten when an append
    time on its topic is more than `stream_ttl_ms` past the last of its records that moved it. The item's own
    append time decides when a lane is looked up; the sweep, which only frees memory, comes to the same.
    """

    def __init__(self, settings: JoinSettings) -> None:
        self._ttl_ms = settings.stream_ttl_ms
        self._out_of_order_ms = settings.out_of_order_ms
        self._lanes: dict[tuple[str, str], LaneClock] = {}
        self._topic_ms: dict[str, int] = {}
        self._ages: dict[str, deque[tuple[str, str]]] = {}
        self._keep: Container[str] = ()
        self._on_forget: Callable[[str], None] | None = None

    def attach(self, keep: Container[str], on_forget: Callable[[str], None]) -> None:
        """Never sweep streams in `keep`; call `on_forget(stream)` after a lane of a stream was swept."""
        self._keep = keep
        self._on_forget = on_forget

    def __len__(self) -> int:
        return len(self._lanes)

    def get(self, stream: str, lane: str) -> LaneClock | None:
        """The clock of a lane that is remembered, else None."""
        return self._lanes.get((stream, lane))

    def watermark_ms(self, stream: str, lane: str) -> int:
        """The lane's watermark; `NEVER_MS` where the lane is not remembered."""
        clock = self._lanes.get((stream, lane))
        return NEVER_MS if clock is None else clock.watermark_ms

    def is_forgotten(self, stream: str, lane: str, append_ms: int) -> bool:
        """Whether nothing is known of the lane for a record appended at `append_ms`."""
        clock = self._lanes.get((stream, lane))
        return clock is None or append_ms - clock.append_ms > self._ttl_ms

    def judge(self, item: Item) -> Literal["late", "duplicate"] | None:
        """What the lane's own log says of its next item; changes nothing."""
        clock = self._lanes.get((item.stream, item.lane))
        if clock is None or item.append_ms - clock.append_ms > self._ttl_ms:
            return None
        if item.time_ms < clock.watermark_ms:
            return "late"
        return "duplicate" if item.id_hash in clock.recent else None

    def move(self, item: Item) -> LaneClock:
        """Let the lane see an item: raises its watermark and remembers its id, unless the item is late."""
        clock = self._lanes.get((item.stream, item.lane))
        if clock is None:
            clock = self._create(item.stream, item.lane, item.topic, item.append_ms)
        elif item.append_ms - clock.append_ms > self._ttl_ms:
            clock.reset()
        if item.time_ms < clock.watermark_ms:
            return clock  # a late record moves nothing, so that the log need not say when it was appended
        clock.see(item.time_ms, item.id_hash)
        if item.append_ms > clock.append_ms:
            clock.append_ms = item.append_ms
        if item.append_ms > self._topic_ms[item.topic]:
            self._topic_ms[item.topic] = item.append_ms
            self._sweep(item.topic, item.append_ms)
        return clock

    def export(self) -> list[LaneState]:
        """All lanes that are still remembered, as data for a snapshot."""
        states: list[LaneState] = []
        for topic, keys in self._ages.items():
            for stream, lane in keys:
                clock = self._lanes[stream, lane]
                if self._topic_ms[topic] - clock.append_ms <= self._ttl_ms or stream in self._keep:
                    recent = tuple(clock.recent.items())
                    states.append(LaneState(stream, lane, topic, clock.max_time_ms, clock.append_ms, recent))
        return states

    def restore(self, states: Iterable[LaneState]) -> None:
        """Take over lanes from a snapshot; a lane that is already known is replaced."""
        for state in states:
            clock = self._lanes.get((state.stream, state.lane))
            if clock is None:
                clock = self._create(state.stream, state.lane, state.topic, state.append_ms)
            clock.reset()
            clock.append_ms = state.append_ms
            for id_hash, time_ms in state.recent:
                clock.see(time_ms, id_hash)
            clock.max_time_ms = state.max_time_ms
            clock.watermark_ms = state.max_time_ms - clock.out_of_order_ms
            self._topic_ms[state.topic] = max(self._topic_ms[state.topic], state.append_ms)

    def _create(self, stream: str, lane: str, topic: str, append_ms: int) -> LaneClock:
        clock = LaneClock(self._out_of_order_ms.get(lane, 0), append_ms)
        self._lanes[stream, lane] = clock
        self._topic_ms.setdefault(topic, append_ms)
        self._ages.setdefault(topic, deque()).append((stream, lane))
        return clock

    def _sweep(self, topic: str, append_ms: int) -> None:
        """Forget what is too old. Each lane is looked at once in `stream_ttl_ms`, not once a record."""
        ages = self._ages[topic]
        for _ in range(SWEEP_AT_MOST):
            if not ages or append_ms - self._lanes[ages[0]].queued_ms <= self._ttl_ms:
                return
            key = ages.popleft()
            clock = self._lanes[key]
            if key[0] in self._keep:
                clock.queued_ms = append_ms
            elif append_ms - clock.append_ms <= self._ttl_ms:
                clock.queued_ms = clock.append_ms
            else:
                del self._lanes[key]
                if self._on_forget is not None:
                    self._on_forget(key[0])
                continue
            ages.append(key)
