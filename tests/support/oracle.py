"""What the join must decide, found the slow way: by looking at whole logs. Shares no code with the join.

Written from the words of docs/design.md, "The join"; quadratic, no timers, no pressure. It knows only what
the watermarks at the logs' end allow, and leaves the rest `undecided`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from streams.join.items import Item
from streams.join.settings import JoinSettings
from tests.support.logs import Logs

Key = tuple[str, int]
"""(topic, offset)."""

LONG_AGO = -(10**18)


class OracleSet(NamedTuple):
    """A fused set."""

    stream: str
    start_ms: int
    members: tuple[Key, ...]
    missing: tuple[str, ...]


class Verdicts(NamedTuple):
    """Everything that the watermarks decide: sets in order per stream, reasons of single records, the rest."""

    sets: dict[str, list[OracleSet]]
    singles: dict[Key, str]
    observed: set[Key]
    undecided: set[Key]


def key(item: Item) -> Key:
    return item.topic, item.offset


def gap(a: Item, b: Item) -> int:
    if a.time_ms > b.end_ms:
        return a.time_ms - b.end_ms
    if b.time_ms > a.end_ms:
        return b.time_ms - a.end_ms
    return 0


class Oracle:
    """Judges every record by its own lane's log, then each stream by itself."""

    def __init__(self, logs: Logs, settings: JoinSettings) -> None:
        self.settings = settings
        self.singles: dict[Key, str] = {}
        self.observed: set[Key] = set()
        self.joining: dict[str, list[Item]] = defaultdict(list)
        self.seen: dict[tuple[str, str], list[Item]] = defaultdict(list)
        self.ids: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        self.heard: dict[str, list[tuple[str, str]]] = defaultdict(list)
        """By topic, the lanes that are remembered, the one that was heard of last at the end."""
        for records in logs.values():
            for item, decodable in records:
                self._judge(item, decodable)

    def _judge(self, item: Item, decodable: bool) -> None:
        waited_for = [(lane.name, f"media.{lane.modality}") for lane in self.settings.lanes_of(item.stream)]
        before = self.seen[item.stream, item.lane]
        watermark = self.watermark(item.stream, item.lane)
        verdict = None
        if (item.lane, item.topic) not in waited_for:
            verdict = "unexpected"
        elif item.time_ms < watermark:
            verdict = "late"
        elif item.id_hash in [id_hash for id_hash, _ in self.ids[item.stream, item.lane]]:
            verdict = "duplicate"
        if verdict not in ("late", "unexpected"):
            before.append(item)
            self._remember(item)
        if not decodable:
            self.observed.add(key(item))
        elif verdict is not None:
            self.singles[key(item)] = verdict
        else:
            self.joining[item.stream].append(item)

    def _remember(self, item: Item) -> None:
        """What its topic knows from now on: of each lane the ids from its watermark on, no more than it may be."""
        lane = (item.stream, item.lane)
        latest_ms = max([item.time_ms, *(time_ms for id_hash, time_ms in self.ids[lane] if id_hash == item.id_hash)])
        if (item.id_hash, latest_ms) not in self.ids[lane]:
            self.ids[lane] = [one for one in self.ids[lane] if one[0] != item.id_hash] + [(item.id_hash, latest_ms)]
        self.ids[lane] = [one for one in self.ids[lane] if one[1] >= self.watermark(*lane)]
        heard = self.heard[item.topic]
        heard[:] = [one for one in heard if one != lane] + [lane]
        lists = [self.settings.lanes, *self.settings.lanes_by_stream.values()]
        topics = [[f"media.{name.rpartition(':')[2]}" for name in names] for names in lists]
        while len(heard) > self.settings.max_streams * max(names.count(item.topic) for names in topics):
            forgotten = heard.pop(0)
            self.seen[forgotten], self.ids[forgotten] = [], []
        may_be = max(1, self.settings.max_remembered_ids // len({name for names in topics for name in names}))
        if sum(len(self.ids[one]) - 1 for one in heard) > may_be:
            level = max(len(self.ids[one]) for one in heard)
            while sum(min(len(self.ids[one]), level) - 1 for one in heard) > may_be * 7 // 8:
                level -= 1
            for one in heard:
                self.ids[one] = self.ids[one][-level:]

    def watermark(self, stream: str, lane: str) -> int:
        times = [item.time_ms for item in self.seen[stream, lane]]
        return max(times) - self.settings.out_of_order_ms.get(lane, 0) if times else LONG_AGO

    def verdicts(self) -> Verdicts:
        sets: dict[str, list[OracleSet]] = {}
        undecided: set[Key] = set()
        for stream, items in self.joining.items():
            found = getattr(self, "_" + self.settings.strategy)(stream, list(items), undecided)
            sets[stream] = [one for one in found if self._worth_fusing(one)]
        return Verdicts(sets, self.singles, self.observed, undecided)

    def _worth_fusing(self, found: OracleSet) -> bool:
        if not set(self.settings.require) & set(found.missing):
            return True
        for member in found.members:
            shared = self.settings.strategy == "nearest" and self.settings.share
            if not shared or member == found.members[self._pivot_place(found)]:
                self.singles[member] = "unmatched"
        return False

    def _pivot_place(self, found: OracleSet) -> int:
        present = [name for name in self._lanes(found.stream) if name not in found.missing]
        return present.index(self.settings.pivot)

    def _lanes(self, stream: str) -> list[str]:
        return [lane.name for lane in self.settings.lanes_of(stream)]

    def _set(self, stream: str, start_ms: int, members: list[Item]) -> OracleSet:
        lanes = self._lanes(stream)
        members = sorted(members, key=lambda item: (lanes.index(item.lane), item.time_ms, item.offset))
        missing = tuple(name for name in lanes if name not in {item.lane for item in members})
        return OracleSet(stream, start_ms, tuple(map(key, members)), missing)

    def _earliest(self, stream: str, items: list[Item], undecided: set[Key]) -> list[OracleSet]:
        lanes, sets = self._lanes(stream), list[OracleSet]()
        while items:
            opener = min(items, key=lambda item: (item.time_ms, lanes.index(item.lane), item.offset))
            limit = opener.end_ms + self.settings.tolerance_ms
            members = [opener]
            settled = self.watermark(stream, opener.lane) >= opener.time_ms
            for lane in lanes:
                near = [item for item in items if item.lane == lane and item.time_ms <= limit]
                if lane == opener.lane:
                    continue
                if near:
                    members.append(min(near, key=lambda item: (item.time_ms, item.offset)))
                    settled &= self.watermark(stream, lane) >= members[-1].time_ms
                else:
                    settled &= self.watermark(stream, lane) > limit
            if not settled:
                break
            sets.append(self._set(stream, opener.time_ms, members))
            items = [item for item in items if item not in members]
        undecided.update(map(key, items))
        return sets

    def _nearest(self, stream: str, items: list[Item], undecided: set[Key]) -> list[OracleSet]:
        settings, sets = self.settings, list[OracleSet]()
        pivots = sorted((i for i in items if i.lane == settings.pivot), key=lambda i: (i.time_ms, i.offset))
        free = [item for item in items if item.lane != settings.pivot]
        in_set: set[Key] = set()
        while pivots:
            members = self._around(stream, pivots[0], free)
            if members is None:
                break
            found = self._set(stream, pivots[0].time_ms, [pivots[0], *members])
            sets.append(found)
            pivots = pivots[1:]
            if not settings.share:
                free = [item for item in free if item not in members]
            elif not set(settings.require) & set(found.missing):
                in_set.update(map(key, members))
        undecided.update(map(key, pivots))
        for item in free:
            reach = item.end_ms + settings.tolerance_ms
            if self.watermark(stream, settings.pivot) > reach and all(p.time_ms > reach for p in pivots):
                self.singles[key(item)] = "closed" if key(item) in in_set else "unmatched"
            else:
                undecided.add(key(item))
        return sets

    def _around(self, stream: str, pivot: Item, free: list[Item]) -> list[Item] | None:
        """What the other lanes give to a pivot; None where that is not settled."""
        members: list[Item] = []
        settled = self.watermark(stream, pivot.lane) >= pivot.time_ms
        for lane in self._lanes(stream):
            if lane == pivot.lane:
                continue
            near = [i for i in free if i.lane == lane and gap(i, pivot) <= self.settings.tolerance_ms]
            if near:
                best = min(near, key=lambda item: (gap(item, pivot), item.time_ms, item.offset))
                members.append(best)
                settled &= self.watermark(stream, lane) >= pivot.end_ms + gap(best, pivot)
            else:
                settled &= self.watermark(stream, lane) > pivot.end_ms + self.settings.tolerance_ms
        return members if settled else None

    def _tumbling(self, stream: str, items: list[Item], undecided: set[Key]) -> list[OracleSet]:
        size, sets = self.settings.size_ms, list[OracleSet]()
        for window in sorted({item.time_ms // size for item in items}):
            members = [item for item in items if item.time_ms // size == window]
            end = (window + 1) * size
            if all(self.watermark(stream, lane) >= end for lane in self._lanes(stream)):
                sets += [self._set(stream, window * size, part) for part in self._parts(stream, members)]
            else:
                undecided.update(map(key, members))
        return sets

    def _parts(self, stream: str, members: list[Item]) -> list[list[Item]]:
        """A window in sets of at most `max_set_bytes`: 64 a member, and its stream's and lane's names."""
        lanes, parts, room = self._lanes(stream), list[list[Item]](), 0
        for item in sorted(members, key=lambda item: (item.time_ms, lanes.index(item.lane), item.offset)):
            cost = 64 + len(item.stream.encode()) + len(item.lane.encode())
            if cost > room:
                parts.append([])
                room = max(cost, self.settings.max_set_bytes)
            parts[-1].append(item)
            room -= cost
        return parts
