"""The join of one partition number: items in, decisions out. Pure: no Kafka, and the caller's clock.

add, observe --> clocks: late? duplicate? --> held per stream and lane --> strategy: next head
                                                                               |
high_water, joined --> timers: waited long enough, with proof? ----------> decide, press --> decisions
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from streams.join.clocks import Clocks
from streams.join.earliest import Earliest
from streams.join.items import (
    ClosedDecision,
    Item,
    JoinDecision,
    SetDecision,
    UnfusedDecision,
)
from streams.join.lane_clock import NEVER_MS
from streams.join.nearest import Nearest
from streams.join.settings import JoinSettings
from streams.join.shift_detector import ShiftDetector
from streams.join.state import Head, LanePlan, LaneQueue, StreamState
from streams.join.strategy import Strategy
from streams.join.timers import AwaitedTopics, Stalled, Timers
from streams.join.tumbling import Tumbling
from syncline.wire.results import SetReason, UnfusedReason


class DecisionBuffer:
    """Turns what was decided into decisions, in order."""

    def __init__(self, settings: JoinSettings) -> None:
        self._strategy = settings.strategy
        self._size_ms = settings.size_ms if settings.strategy == "tumbling" else 0
        self._open_but = settings.pivot if settings.strategy == "nearest" and settings.share else None
        self._decisions: list[JoinDecision] = []
        self.tied: set[tuple[str, int]] = set()
        """Records whose decision must be in one log entry with the next one; the writer removes them."""

    def fuse(self, stream: str, head: Head, members: tuple[Item, ...], forced: SetReason | None, bound_ms: int) -> None:
        """Add a set; `forced` is its reason if the watermarks did not decide it."""
        outcome = "partial" if head.missing else "complete"
        reason = forced or ("watermark" if head.missing else "complete")
        still_open: tuple[int, ...] = ()
        if self._open_but is not None:
            still_open = tuple(n for n, item in enumerate(members) if item.lane != self._open_but)
        missing = tuple(head.missing)
        self._decisions.append(
            SetDecision(
                stream,
                self._strategy,
                outcome,
                reason,
                head.start_ms,
                members,
                missing,
                bound_ms,
                still_open,
                head.start_ms + self._size_ms if self._size_ms else 0,
            )
        )

    def unfuse(self, item: Item, reason: UnfusedReason, *, late_by_ms: int = 0, bound_ms: int = 0) -> None:
        """Add a record that is in no set."""
        self._decisions.append(UnfusedDecision(item, reason, late_by_ms, bound_ms))

    def give_up(self, items: Sequence[Item], bound_ms: int) -> None:
        """Add the members of a set that lacks a required lane, or one unmatched item, as one batch of the log.

        With only some of them in the log, a successor would join the rest again and fuse a set that a run without a
        crash does not.
        """
        for item in items:
            self.unfuse(item, "unmatched", bound_ms=bound_ms)
        self.tied.update((item.topic, item.offset) for item in items[:-1])

    def close(self, item: Item) -> None:
        """Add a shared item that was in a set and can be in no other."""
        self._decisions.append(ClosedDecision(item))

    def flush(self) -> list[JoinDecision]:
        """Return and clear the decisions since the last call."""
        decisions, self._decisions = self._decisions, []
        return decisions


STRATEGIES: dict[str, type[Strategy]] = {"earliest": Earliest, "nearest": Nearest, "tumbling": Tumbling}


class PartitionJoin:
    """Brings the items of one partition number together, stream by stream.

    Items of a topic must come in offset order, each by `add` or `observe`. `now_ms` is any monotonic clock,
    the same in all calls. `clocks` and `bounds` (stream -> time below which a forced decision made it late)
    are taken over from a snapshot; `bounds` is read-only for the caller. `waits_ms` counts how long each set waited,
    from the arrival of its first record to its decision.
    """

    def __init__(
        self,
        settings: JoinSettings,
        clocks: Clocks | None = None,
        bounds: dict[str, int] | None = None,
        waits_ms: Histogram | None = None,
    ) -> None:
        self.settings = settings
        self.clocks = Clocks(settings) if clocks is None else clocks
        self.bounds: dict[str, int] = {} if bounds is None else bounds
        self._silent_since_ms: dict[str, int] = {}
        self.n_undecided = self._now_ms = 0
        self.waits_ms = Histogram(LATENCY_BOUNDS_MS) if waits_ms is None else waits_ms
        self._outbox = DecisionBuffer(settings)
        self._suspects = ShiftDetector() if settings.strategy == "earliest" else None
        self._strategy = STRATEGIES[settings.strategy](settings)
        self._timers = Timers(settings.max_wait_ms)
        self.awaits = AwaitedTopics(settings.max_wait_ms)
        self.stalled = Stalled(settings.max_wait_ms)
        self._streams: dict[str, StreamState] = {}
        self._dirty: dict[str, None] = {}
        self._plans: dict[tuple[str, ...], LanePlan] = {}
        self.clocks.on_forget = self._on_forget

    def add(self, item: Item, now_ms: int, *, in_set: bool = False) -> None:
        """Take a topic's next item; `decide` returns its decision.

        `in_set`: a shared item of a decided set. It joins again and is closed later, or at once if it cannot join by
        these settings, which may differ from those that decided the set.
        """
        if in_set and not self._joins_again(item):
            self.observe(item, now_ms)
            self._outbox.close(item)
            return
        place = self._place(item)
        if place is None:
            self._outbox.unfuse(item, "unexpected")
            return
        verdict = self.clocks.judge(item)
        bound_ms = self._bound_ms(item, now_ms) if item.stream in self.bounds else NEVER_MS
        if verdict == "late" or (item.time_ms < bound_ms and not in_set):
            limit_ms = max(self.clocks.watermark_ms(item.stream, item.lane) if verdict else NEVER_MS, bound_ms)
            self._outbox.unfuse(item, "late", late_by_ms=limit_ms - item.time_ms)
            return
        watermark_ms = self.clocks.watermark_ms(item.stream, item.lane)
        clock = self.clocks.move(item)
        stream = self._streams.get(item.stream)
        if verdict is None and stream is None:
            stream = self._open(item.stream)
        if stream is not None:
            stream.lanes[place].hear(clock, watermark_ms, now_ms)
            self._dirty[item.stream] = None
            if verdict is None:
                self._strategy.hold(stream, place, (item.time_ms, item.offset, item, now_ms))
                self.n_undecided += 1
                if in_set:
                    stream.taken.add((item.topic, item.offset))
                if self._suspects is not None:
                    self._suspects.on_held(item)
        if verdict is not None:
            self._outbox.unfuse(item, "duplicate")

    def _joins_again(self, item: Item) -> bool:
        """Tell whether an item of a decided set may be in further ones."""
        shares = self.settings.strategy == "nearest" and self.settings.share and item.lane != self.settings.pivot
        return shares and self._place(item) is not None and self.clocks.judge(item) is None

    def observe(self, item: Item, now_ms: int) -> None:
        """Take an item that is decided already or could not be decoded: it moves its lane but does not join."""
        place = self._place(item)
        if place is None or self.clocks.judge(item) == "late":
            return
        watermark_ms = self.clocks.watermark_ms(item.stream, item.lane)
        clock = self.clocks.move(item)
        stream = self._streams.get(item.stream)
        if stream is not None:
            stream.lanes[place].hear(clock, watermark_ms, now_ms)
            self._dirty[item.stream] = None

    def decide(self, now_ms: int) -> list[JoinDecision]:
        """Return all decisions that are possible now; a stream's sets are in order of their start."""
        self._now_ms = now_ms
        for name in self._timers.awake(now_ms):
            self._dirty[name] = None
        if self._dirty:
            for name in self._dirty:
                stream = self._streams.get(name)
                if stream is not None:
                    self._run(stream, now_ms)
            self._dirty.clear()
            self._timers.compact(self._streams)
        return self._outbox.flush()

    def press(self) -> list[JoinDecision]:
        """Decide the stream of the oldest record (by append time), up to and including that record's set."""
        held = (entry[2] for stream in self._streams.values() for lane in stream.lanes for entry in lane.held)
        target = min(held, key=lambda item: (item.append_ms, item.topic, item.offset), default=None)
        if target is None:
            return self._outbox.flush()
        stream = self._streams[target.stream]
        self._decide_up_to(stream, target, "pressure")
        self._dirty[stream.name] = None
        self._drop_if_empty(stream)
        return self._outbox.flush()

    def high_water(self, topic: str, high_water: int | None, asked_ms: int, now_ms: int) -> None:
        """Take the broker's high watermark of `topic`, asked for at `asked_ms` (None: no answer)."""
        self._timers.high_water(topic, high_water, asked_ms, now_ms)

    def joined(self, topic: str, next_offset: int, now_ms: int) -> None:
        """Note that every offset of `topic` below `next_offset` was added, was observed, or needs neither.

        Call it at the start too, with the first offset to be read.
        """
        self._timers.joined(topic, next_offset, now_ms)

    def timer_topics(self) -> set[str]:
        """Return the topics whose high watermark is needed now by due timers that `decide` found."""
        return self._timers.due_topics()

    @property
    def streams(self) -> Collection[StreamState]:
        """The streams with undecided items, read-only (streams/join/state.py)."""
        return self._streams.values()

    @property
    def tied(self) -> set[tuple[str, int]]:
        """Unmatched records (topic, offset) of a set given up together with the next decision: see `give_up`."""
        return self._outbox.tied

    @property
    def n_suspect_pairs(self) -> int:
        """How many sets have a member that is nearer to the next moment."""
        return self._suspects.n_suspect_pairs if self._suspects is not None else 0

    @property
    def suspicious(self) -> bool:
        """Whether so many sets look shifted that the tolerance is probably too near a lane's period."""
        return self._suspects is not None and self._suspects.warns

    def _place(self, item: Item) -> int | None:
        """Return the item's lane number; None if its stream waits for no such lane from that topic."""
        plan = self._plan(item.stream)
        found = plan.position.get(item.lane)
        return None if found is None or found[1] != item.topic else found[0]

    def _plan(self, stream: str) -> LanePlan:
        names = self.settings.lane_names_of(stream)
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plans[names] = LanePlan(self.settings.lanes_of(stream))
        return plan

    def _open(self, name: str) -> StreamState:
        lanes = [LaneQueue(lane, topic, self.clocks.get(name, lane, topic)) for lane, topic in self._plan(name).lanes]
        stream = self._streams[name] = StreamState(name, lanes)
        return stream

    def _decide_up_to(self, stream: StreamState, target: Item, reason: SetReason) -> None:
        """Decide everything up to and including `target`; `reason` is for what the watermarks do not settle."""
        while self._holds(stream, target):
            head = self._strategy.heads(stream)[0]
            if head.unsettled:
                self._emit(stream, self._strategy.head_towards(stream, target), reason)
            else:
                self._emit(stream, head, None)

    def _overdue(self, stream: StreamState, head: Head, now_ms: int) -> Item | None:
        """Return the longest waiting item if sets of a creeping clock, `head` the next of them, hold it up too long."""
        longest_ms = self._timers.longest_ms(head)
        stream.pace.look(now_ms, longest_ms)
        if not stream.pace.creeps:
            return None
        arrived_ms, item = min(
            ((entry[3], entry[2]) for lane in stream.lanes for entry in lane.held), key=lambda pair: pair[0]
        )
        return item if self._timers.overdue(stream, arrived_ms, longest_ms, now_ms) else None

    def _holds(self, stream: StreamState, target: Item) -> bool:
        return any(entry[2] is target for lane in stream.lanes for entry in lane.held)

    def _run(self, stream: StreamState, now_ms: int) -> None:
        """Decide what the stream's watermarks and timers allow, in order; set its timer for the rest."""
        while stream.n_held:
            heads = self._strategy.heads(stream)
            if not heads[0].unsettled:
                self._emit(stream, heads[0], None)
                continue
            head = next((head for head in heads if self._timers.expired(stream, head, now_ms)), None)
            if head is None and (target := self._overdue(stream, heads[0], now_ms)) is not None:
                behind = [lane for lane in stream.lanes if lane.watermark_ms < target.time_ms]
                self.stalled.timed_out(stream.name, behind, now_ms)
                self._decide_up_to(stream, target, "timeout")
                continue
            if head is None:
                self._timers.wait(stream, heads, now_ms)
                self.awaits.wait(stream.name, heads)
                return
            self.stalled.timed_out(stream.name, head.unsettled, now_ms)
            self._timers.wear_out(stream, head, now_ms)
            self._emit(stream, head, "timeout")
        self._drop_if_empty(stream)

    def _drop_if_empty(self, stream: StreamState) -> None:
        # The arrivals dropped with it are older than any later item's: no timer changes.
        if not stream.n_held:
            del self._streams[stream.name]
            self.awaits.drop(stream.name)
            if stream.name in self.bounds:
                self._on_forget(stream.name)

    def _emit(self, stream: StreamState, head: Head, forced: SetReason | None) -> None:
        """Decide one head; `forced` is its reason if the watermarks do not decide it."""
        self._strategy.limit(stream, head)
        head.fused = not head.lone and not any(name in self.settings.require for name in head.missing)
        in_set = head.lone and self._strategy.is_in_a_set(stream, head.picked[0][1][2])
        bound_ms = 0
        stream.waits.end(head, by_watermarks=forced is None)
        if not head.lone:
            stream.pace.decided(head.start_ms, by_watermarks=forced is None)
        if forced is not None and head.bound_ms is not None:
            bound_ms = self.bounds[stream.name] = max(head.bound_ms, self.bounds.get(stream.name, NEVER_MS))
        n_before, arrived_ms = stream.n_held, min((entry[3] for _, entry in head.picked), default=head.arrived_ms)
        members = self._strategy.take(stream, head)
        self.n_undecided -= n_before - stream.n_held
        if head.fused:
            self.waits_ms.add(self._now_ms - arrived_ms)
            self._outbox.fuse(stream.name, head, tuple(members), forced, bound_ms)
            if self._suspects is not None:
                self._suspects.on_set(head)
        elif in_set:
            self._outbox.close(members[0])
        else:
            self._outbox.give_up(members, bound_ms)

    def _bound_ms(self, item: Item, now_ms: int) -> int:
        """Return the time below which `item` is late after a forced decision."""
        if self._after_silence(item, now_ms):
            self._drop_bound(item.stream)
        return self.bounds.get(item.stream, NEVER_MS)

    def _after_silence(self, item: Item, now_ms: int) -> bool:
        """Tell whether all lanes of the item's stream were silent before it for longer than streams are remembered.

        The bound must end then: a clock that was set back meanwhile would stay late for good, since late items move
        nothing. Two exceptions keep it. After a crash no lane may be known yet, because the records behind the bound
        are read again later. And a topic that is behind may still have records of that time.
        """
        name, lanes = item.stream, self._plan(item.stream).lanes
        known = [lane for lane, _ in lanes if self.clocks.get(name, lane) is not None]
        is_silent = all(self.clocks.is_forgotten(name, lane, item.append_ms) for lane in known)
        if not known or not is_silent or name in self._streams:
            self._silent_since_ms.pop(name, None)
            return False
        others = {topic for _, topic in lanes if self.clocks.reached_ms(topic) < item.append_ms} - {item.topic}
        return self._timers.is_caught_up(name, others, self._silent_since_ms.setdefault(name, now_ms))

    def _on_forget(self, name: str) -> None:
        """Drop a stream's bound with its last lane, once nothing of the stream is undecided."""
        if name not in self.bounds or name in self._streams:
            return
        if all(self.clocks.get(name, lane, topic) is None for lane, topic in self._plan(name).lanes):
            self._drop_bound(name)

    def _drop_bound(self, name: str) -> None:
        del self.bounds[name]
        self._silent_since_ms.pop(name, None)
