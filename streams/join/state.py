"""What the join holds of one stream while it is undecided."""

from __future__ import annotations

from bisect import insort

from streams.join.lane_clock import NEVER_MS, LaneClock
from streams.join.model import Item
from streams.join.settings import Lane

Entry = tuple[int, int, Item, int]
"""A held item as (time_ms, offset, item, arrived_ms): sorts in the order in which ties go inside a lane."""


class LaneQueue:
    """The held items of one lane in (time, offset) order, its clock, and when it was last heard of."""

    __slots__ = ("arrived_ms", "clock", "held", "name", "topic")

    def __init__(self, name: str, topic: str, clock: LaneClock | None) -> None:
        self.name = name
        self.topic = topic
        self.clock = clock
        self.held: list[Entry] = []
        self.arrived_ms = NEVER_MS

    @property
    def watermark_ms(self) -> int:
        return NEVER_MS if self.clock is None else self.clock.watermark_ms

    def hold(self, entry: Entry) -> None:
        """Keep an item at its place in time."""
        held = self.held
        if held and entry < held[-1]:
            insort(held, entry)
        else:
            held.append(entry)


class StreamState:
    """One stream with at least one undecided item; `lanes` in lane order.

    `timer_ms` is when the stream is to be looked at again (0: nobody will). `taken` and
    `first_arrival_ms` belong to the strategies `nearest` and `tumbling`.
    """

    __slots__ = ("first_arrival_ms", "lanes", "n_held", "name", "taken", "timer_ms")

    def __init__(self, name: str, lanes: list[LaneQueue]) -> None:
        self.name = name
        self.lanes = lanes
        self.n_held = 0
        self.timer_ms = 0
        self.taken: set[tuple[str, int]] = set()
        self.first_arrival_ms: dict[int, int] = {}


class Head:
    """What a stream decides next: a set, or one item that is in none (`lone`).

    `start_ms` is the set's start; `bound_ms` below what the stream is late if this is forced (None: no
    bound); `picked` are (lane, entry) pairs of the set, as far as the strategy knows them before it takes
    them; `unsettled` are the lanes whose watermark the decision still waits for; `arrived_ms` is when the
    wait began. `fused` is False where a required lane is missing, so that the members end as unmatched.
    """

    __slots__ = ("arrived_ms", "bound_ms", "fused", "lone", "missing", "picked", "start_ms", "unsettled")

    def __init__(self, start_ms: int, bound_ms: int | None, arrived_ms: int, *, lone: bool = False) -> None:
        self.start_ms = start_ms
        self.bound_ms = bound_ms
        self.arrived_ms = arrived_ms
        self.lone = lone
        self.fused = not lone
        self.picked: list[tuple[LaneQueue, Entry]] = []
        self.missing: list[str] = []
        self.unsettled: list[LaneQueue] = []


class LanePlan:
    """The lanes that some streams wait for, looked up once."""

    __slots__ = ("lanes", "position")

    def __init__(self, lanes: tuple[Lane, ...]) -> None:
        self.lanes = [(lane.name, f"media.{lane.modality}") for lane in lanes]
        self.position = {name: (place, topic) for place, (name, topic) in enumerate(self.lanes)}
