"""The join's state of one stream with undecided items."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from streams.join.items import Item
from streams.join.lane_clock import NEVER_MS, LaneClock
from streams.join.settings import Lane
from syncline.wire.contract import media_topic

SLOWEST = 0.1
"""A stream creeps if its sets advance by less than this share of real time and none is decided by watermarks."""


class Pace:
    """How fast the starts of a stream's sets advance, in windows of a monotonic clock."""

    __slots__ = ("_began_ms", "_from_ms", "_newest_ms", "_settled", "creeps")

    def __init__(self) -> None:
        self._began_ms: int | None = None
        self._from_ms: int | None = None
        self._newest_ms: int | None = None
        self._settled = False
        self.creeps = False
        """In the last window no set was decided by the watermarks, and starts hardly advanced."""

    def decided(self, start_ms: int, *, by_watermarks: bool) -> None:
        """Note a decided set."""
        self._newest_ms = start_ms if self._newest_ms is None else max(start_ms, self._newest_ms)
        self._from_ms = start_ms if self._from_ms is None else self._from_ms
        if by_watermarks:
            self._settled, self.creeps = True, False

    def look(self, now_ms: int, window_ms: int) -> None:
        """Judge a finished window; call it while something of the stream waits."""
        if self._began_ms is None:
            self._began_ms = now_ms
        if now_ms - self._began_ms < window_ms:
            return
        moved_ms = 0 if self._newest_ms is None or self._from_ms is None else self._newest_ms - self._from_ms
        self.creeps = not self._settled and moved_ms < SLOWEST * (now_ms - self._began_ms)
        self._began_ms, self._from_ms, self._settled = now_ms, self._newest_ms, False


Entry = tuple[int, int, Item, int]
"""A held item as (time_ms, offset, item, arrived_ms): sorts by the lane's order of ties."""


class LaneQueue:
    """The held items of one lane in (time, offset) order, its clock and its last arrivals.

    `heard_ms`: the last arrival that was not late; `moved_ms`: the last one that moved the lane's watermark.
    """

    __slots__ = ("clock", "heard_ms", "held", "moved_ms", "name", "topic")

    def __init__(self, name: str, topic: str, clock: LaneClock | None) -> None:
        self.name = name
        self.topic = topic
        self.clock = clock
        self.held: list[Entry] = []
        self.heard_ms = NEVER_MS
        self.moved_ms = NEVER_MS

    @property
    def watermark_ms(self) -> int:
        return NEVER_MS if self.clock is None else self.clock.watermark_ms

    def hear(self, clock: LaneClock, watermark_ms: int, now_ms: int) -> None:
        """Note an arrival that was not late; `watermark_ms` is the lane's watermark before it, `clock` has the new."""
        self.clock, self.heard_ms = clock, now_ms
        if clock.watermark_ms > watermark_ms:
            self.moved_ms = now_ms

    def hold(self, entry: Entry) -> None:
        """Insert an item in time order."""
        held = self.held
        if held and entry < held[-1]:
            insort(held, entry)
        else:
            held.append(entry)


class Waits:
    """Since when each head of one stream waits: from when it was first seen waiting.

    Heads of one line (`Head.line`) are decided one after the other. After a head that renewed its wait to the limit,
    the next ones of the line may not renew theirs, until the watermarks decide one that waited.
    """

    __slots__ = ("_since_ms", "_worn_out_ms")

    def __init__(self) -> None:
        self._since_ms: dict[tuple[str, int], int] = {}
        self._worn_out_ms: dict[str, int] = {}

    def since_ms(self, head: Head, now_ms: int) -> int:
        """Return since when `head` waits; now, if it has not waited yet."""
        known = self._since_ms.get((head.line, head.start_ms))
        return self._worn_out_ms.get(head.line, now_ms) if known is None else known

    def wait(self, head: Head, now_ms: int) -> None:
        """Note that `head` waits."""
        self._since_ms[head.line, head.start_ms] = self.since_ms(head, now_ms)

    def wear_out(self, head: Head, now_ms: int) -> None:
        """Note that `head` timed out though what it waits for kept moving."""
        self._worn_out_ms[head.line] = self.since_ms(head, now_ms)

    def end(self, head: Head, *, by_watermarks: bool) -> None:
        """Note that `head` is decided."""
        if by_watermarks and (head.line, head.start_ms) in self._since_ms:
            self._worn_out_ms.pop(head.line, None)
        if self._since_ms:  # heads that waited before it are members of other sets now
            self._since_ms = {
                key: since_ms
                for key, since_ms in self._since_ms.items()
                if key[0] != head.line or key[1] > head.start_ms
            }


class StreamState:
    """One stream with at least one undecided item; `lanes` in lane order.

    `timer_ms` is when to check the stream again (0: never). `waits` says since when its heads wait, `pace` how fast
    they advance. `taken` belongs to the strategy `nearest`, `first_arrival_ms` to `tumbling`.
    """

    __slots__ = ("first_arrival_ms", "lanes", "n_held", "name", "pace", "taken", "timer_ms", "waits")

    def __init__(self, name: str, lanes: list[LaneQueue]) -> None:
        self.name = name
        self.lanes = lanes
        self.n_held = 0
        self.timer_ms = 0
        self.waits = Waits()
        self.pace = Pace()
        self.taken: set[tuple[str, int]] = set()
        self.first_arrival_ms: dict[int, int] = {}


class Head:
    """A stream's next decision: a set, or one item in no set (`lone`).

    start_ms: the set's start. bound_ms: items of the stream below it are late if this is forced (None: no bound).
    picked: the (lane, entry) pairs known before the strategy takes the set. unsettled: the lanes whose watermark the
    decision still waits for. arrived_ms: when the wait began. renewed_ms: the last arrival that renews it. span_ms: how
    much time the decision covers. fused: False if a required lane is missing, so that the members end as unmatched.
    """

    __slots__ = (
        "arrived_ms", "bound_ms", "fused", "lone", "missing", "picked", "renewed_ms", "span_ms", "start_ms",
        "unsettled",
    )  # fmt: skip

    def __init__(
        self, start_ms: int, bound_ms: int | None, arrived_ms: int, *, lone: bool = False, span_ms: int = 0
    ) -> None:
        self.start_ms, self.span_ms = start_ms, span_ms
        self.renewed_ms = NEVER_MS
        self.bound_ms = bound_ms
        self.arrived_ms = arrived_ms
        self.lone = lone
        self.fused = not lone
        self.picked: list[tuple[LaneQueue, Entry]] = []
        self.missing: list[str] = []
        self.unsettled: list[LaneQueue] = []

    @property
    def line(self) -> str:
        """The heads that are decided one after the other: a stream's sets, or the lone items of one lane."""
        return self.picked[0][0].name if self.lone else ""


class LanePlan:
    """The lanes that streams of one pattern wait for, looked up once."""

    __slots__ = ("lanes", "position")

    def __init__(self, lanes: tuple[Lane, ...]) -> None:
        self.lanes = [(lane.name, media_topic(lane.modality)) for lane in lanes]
        self.position = {name: (place, topic) for place, (name, topic) in enumerate(self.lanes)}


def n_pending_sets(streams: Iterable[StreamState]) -> int:
    """Return a lower bound of the sets to come: no set takes two items of a lane, or spans two windows."""
    return sum(
        len(stream.first_arrival_ms) or max((len(lane.held) for lane in stream.lanes), default=0) for stream in streams
    )


def slowest_watermarks(streams: Iterable[StreamState]) -> dict[str, int]:
    """Return by topic the lowest watermark, in ms; lanes without one do not count."""
    slowest: dict[str, int] = {}
    for stream in streams:
        for lane in stream.lanes:
            if lane.watermark_ms != NEVER_MS:
                slowest[lane.topic] = min(lane.watermark_ms, slowest.get(lane.topic, lane.watermark_ms))
    return slowest
