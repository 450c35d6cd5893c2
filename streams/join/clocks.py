"""The join's memory of each (stream, lane): a watermark and recent ids.

It depends on one media topic's log alone, in offset order: not on other topics, not on wall-clock time. That includes
what is forgotten by `max_streams` and `max_remembered_ids`: a successor forgets the same at the same record.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from msgspec import structs

from streams.join.items import Item
from streams.join.lane_clock import NEVER_MS, Ids, LaneClock, LaneKey, LaneState
from streams.join.settings import JoinSettings
from syncline.wire.contract import media_topic

SWEEP_AT_MOST = 1_000
"""Lanes that one record may sweep, at 3 us each, so that 100,000 idle streams do not block the event loop."""

KEPT_SHARE = 7 / 8
"""Share of `max_remembered_ids` kept when the limit is exceeded, so that not every further id scans all lanes."""

Forgotten = Literal["lanes", "ids"]


class TopicClocks:
    """The lanes of one topic, longest silent first."""

    __slots__ = ("lanes", "many", "max_lanes", "n_more_ids", "name", "newest_ms")

    def __init__(self, name: str, max_lanes: int, newest_ms: int) -> None:
        self.name = name
        self.lanes: OrderedDict[LaneKey, LaneClock] = OrderedDict()
        self.many: dict[LaneKey, Ids] = {}
        """By lane, if it has several ids."""
        self.max_lanes, self.newest_ms, self.n_more_ids = max_lanes, newest_ms, 0

    def put(self, clock: LaneClock, before: LaneClock | None, n_before: int) -> None:
        """Store `clock` as the newest; `before` is the lane's clock until now, with `n_before` ids beside one."""
        key, ids = clock.key, clock.ids
        self.lanes[key] = clock
        if before is not None:
            self.lanes.move_to_end(key)
        if type(ids) is Ids:
            self.n_more_ids += len(ids) - 1 - n_before
            self.many[key] = ids
        elif self.many and self.many.pop(key, None) is not None:
            self.n_more_ids -= n_before

    def drop_oldest(self) -> LaneKey:
        """Forget the longest silent lane."""
        key, clock = self.lanes.popitem(last=False)
        if self.many.pop(key, None) is not None:
            self.n_more_ids -= clock.n_more_ids
        return key

    def forget_ids(self, n_left: int) -> int:
        """Forget the oldest ids of the lanes with the most, until `n_left` are left beside each lane's newest.

        Lanes that lose ids end at one common level. Returns the number of forgotten ids.
        """
        level = _level([len(ids) for ids in self.many.values()], n_left)
        n_gone = sum(ids.keep_newest(level) for ids in self.many.values())
        self.n_more_ids -= n_gone
        return n_gone

    def copy(self) -> TopicClocks:
        """Return an independent copy that shares what is immutable."""
        copied = TopicClocks(self.name, self.max_lanes, self.newest_ms)
        copied.lanes, copied.n_more_ids = self.lanes.copy(), self.n_more_ids
        for key, ids in self.many.items():
            clock, copied.many[key] = self.lanes[key], ids.copy()
            copied.lanes[key] = structs.replace(clock, ids=copied.many[key])
        return copied


def _level(sizes: list[int], n_left: int) -> int:
    """Return how many ids each lane may keep so that all keep at most `n_left` beside one each; at least 1."""
    sizes.sort()
    for place, size in enumerate(sizes):
        level = 1 + n_left // (len(sizes) - place)
        if size > level:
            return level
        n_left -= max(0, size - 1)
    return max(sizes, default=1)


class Captured:
    """Clocks at one moment, to be written out piece by piece while the live clocks move on."""

    def __init__(self, topics: Iterable[TopicClocks], ttl_ms: int) -> None:
        self._topics = [(one.newest_ms - ttl_ms, list(one.lanes.values())) for one in topics]
        self._ids = {ids: dict(ids) for one in topics for ids in one.many.values()}

    def rows(self) -> Iterator[LaneClock | LaneState]:
        """Yield all remembered lanes, in each topic the longest silent first.

        Lanes with several ids come as `LaneState`. The others come as `LaneClock`: a hundred thousand new objects
        would make Python's garbage collector stop the event loop.
        """
        for oldest_ms, clocks in self._topics:
            for clock in clocks:
                if clock.append_ms >= oldest_ms:
                    ids = clock.ids
                    yield clock.state(tuple(self._ids[ids].items())) if isinstance(ids, Ids) else clock


class Clocks:
    """The lane clocks of one partition number.

    Call `judge`, then `move` for an item that is neither late nor unexpected. A lane is forgotten once an append time
    on its topic is more than `stream_ttl_ms` past the last record that moved it. Look-ups decide that by the item's own
    append time; the sweep only frees memory and never changes an outcome.

    Each topic remembers the `max_streams` streams that it heard of last, and beside one id a lane its share of
    `max_remembered_ids`: beyond that, the lanes with the most ids forget their oldest. `forgotten` counts both.

    `twin` are other clocks that reach the same place of the logs, and share memory with these. `on_forget(stream)` is
    called after a lane of a stream was forgotten.
    """

    def __init__(self, settings: JoinSettings) -> None:
        self._ttl_ms = settings.stream_ttl_ms
        self._out_of_order_ms = settings.out_of_order_ms
        self._settings = settings
        self._lanes_of_topic = settings.lanes_by_topic()
        self._max_ids = max(1, settings.max_remembered_ids // len(self._lanes_of_topic))
        self._topics: dict[str, TopicClocks] = {}
        self._plans: dict[tuple[str, ...], list[LaneKey]] = {}
        self.forgotten: Counter[Forgotten] = Counter()
        self.twin: Clocks | None = None
        self.on_forget: Callable[[str], None] | None = None

    def __len__(self) -> int:
        return sum(len(topic.lanes) for topic in self._topics.values())

    @property
    def n_more_ids(self) -> int:
        """Remembered ids beside each lane's newest."""
        return sum(topic.n_more_ids for topic in self._topics.values())

    def get(self, stream: str, lane: str, topic: str | None = None) -> LaneClock | None:
        """Return a remembered lane's clock, else None; look in `topic`, or in all topics if it is None."""
        key = (stream, lane)
        if topic is not None:
            found = self._topics.get(topic)
            return None if found is None else found.lanes.get(key)
        clocks = (one.lanes.get(key) for one in self._topics.values())
        return next((clock for clock in clocks if clock is not None), None)

    def reached_ms(self, topic: str) -> int:
        """Return the newest append time seen on `topic`; `NEVER_MS` before any."""
        found = self._topics.get(topic)
        return NEVER_MS if found is None else found.newest_ms

    def remembers(self, stream: str) -> bool:
        """Tell whether any lane that `stream` waits for is remembered."""
        names = self._settings.lane_names_of(stream)
        lanes = self._plans.get(names)
        if lanes is None:
            lanes = [(lane.name, media_topic(lane.modality)) for lane in self._settings.lanes_of(stream)]
            self._plans[names] = lanes
        return any(self.get(stream, lane, topic) is not None for lane, topic in lanes)

    def watermark_ms(self, stream: str, lane: str) -> int:
        """Return the lane's watermark; `NEVER_MS` if the lane is not remembered."""
        clock = self.get(stream, lane)
        return NEVER_MS if clock is None else clock.watermark_ms

    def is_forgotten(self, stream: str, lane: str, append_ms: int) -> bool:
        """Tell whether the lane is unknown, or forgotten by `append_ms`."""
        clock = self.get(stream, lane)
        return clock is None or append_ms - clock.append_ms > self._ttl_ms

    def judge(self, item: Item) -> Literal["late", "duplicate"] | None:
        """Judge the lane's next item by its own log: late, duplicate or neither. Changes nothing."""
        topic = self._topics.get(item.topic)
        clock = None if topic is None else topic.lanes.get((item.stream, item.lane))
        if clock is None or item.append_ms - clock.append_ms > self._ttl_ms:
            return None
        if item.time_ms < clock.watermark_ms:
            return "late"
        return "duplicate" if clock.knows(item.id_hash) else None

    def move(self, item: Item) -> LaneClock:
        """Raise the lane's watermark and remember the item's id, unless the item is late."""
        topic = self._topics.get(item.topic) or self._open(item.topic, item.append_ms)
        before = topic.lanes.get((item.stream, item.lane))
        # Count before the change: ids change in place.
        n_before = before.n_more_ids if before is not None and type(before.ids) is Ids else 0
        out_of_order_ms = self._out_of_order_ms.get(item.lane, 0)
        if before is None or item.append_ms - before.append_ms > self._ttl_ms:
            key = (item.stream, item.lane) if before is None else before.key
            watermark_ms = item.time_ms - out_of_order_ms if out_of_order_ms else item.time_ms
            clock = LaneClock(key, topic.name, item.time_ms, watermark_ms, item.append_ms, item.id_hash)
        elif item.time_ms < before.watermark_ms:
            return before  # a late record moves nothing, so the log need not store its append time
        else:
            clock = before.after(item.time_ms, item.id_hash, item.append_ms, out_of_order_ms)
        if self.twin is not None:
            known = self.twin.get(item.stream, item.lane, item.topic)
            if known is not None and known == clock:
                clock = known
        topic.put(clock, before, n_before)
        if item.append_ms > topic.newest_ms or len(topic.lanes) > topic.max_lanes or topic.n_more_ids > self._max_ids:
            self._forget(topic, item.append_ms)
        return clock

    def capture(self) -> Captured:
        """Capture all lanes as they are now; cheap, except that lanes with several ids are copied."""
        return Captured(self._topics.values(), self._ttl_ms)

    def copy(self) -> Clocks:
        """Return an independent copy that shares what is immutable."""
        copied = Clocks(self._settings)
        copied._topics = {name: topic.copy() for name, topic in self._topics.items()}
        return copied

    def restore(self, states: Iterable[LaneState]) -> None:
        """Load lanes from a snapshot, in its order; replace known ones."""
        for state in states:
            topic = self._topics.get(state.topic) or self._open(state.topic, state.append_ms)
            before = topic.lanes.get((state.stream, state.lane))
            out_of_order_ms = self._out_of_order_ms.get(state.lane, 0)
            ids: int | Ids | None = Ids(state.recent, in_order=not out_of_order_ms) if state.recent else None
            if len(state.recent) == 1 and state.recent[0][1] == state.max_time_ms:
                ids = state.recent[0][0]
            key = (state.stream, state.lane) if before is None else before.key
            watermark_ms = state.max_time_ms - out_of_order_ms if out_of_order_ms else state.max_time_ms
            clock = LaneClock(key, topic.name, state.max_time_ms, watermark_ms, state.append_ms, ids)
            topic.put(clock, before, 0 if before is None else before.n_more_ids)
            topic.newest_ms = max(topic.newest_ms, state.append_ms)

    def _open(self, name: str, append_ms: int) -> TopicClocks:
        max_lanes = self._settings.max_streams * self._lanes_of_topic.get(name, 1)
        topic = self._topics[name] = TopicClocks(name, max_lanes, append_ms)
        return topic

    def _forget(self, topic: TopicClocks, append_ms: int) -> None:
        """Forget what is too old or too much after a record of `topic` appended at `append_ms`."""
        n_dropped = 0
        if append_ms > topic.newest_ms:
            topic.newest_ms = append_ms
            while n_dropped < SWEEP_AT_MOST and self._is_too_old(topic):
                self._drop_oldest(topic)
                n_dropped += 1
        while len(topic.lanes) > topic.max_lanes and n_dropped < SWEEP_AT_MOST:
            self._drop_oldest(topic)
            self.forgotten["lanes"] += 1
            n_dropped += 1
        if topic.n_more_ids > self._max_ids:
            self.forgotten["ids"] += topic.forget_ids(int(self._max_ids * KEPT_SHARE))

    def _is_too_old(self, topic: TopicClocks) -> bool:
        oldest = topic.lanes[next(iter(topic.lanes))]
        return topic.newest_ms - oldest.append_ms > self._ttl_ms

    def _drop_oldest(self, topic: TopicClocks) -> None:
        stream, _ = topic.drop_oldest()
        if self.on_forget is not None:
            self.on_forget(stream)
