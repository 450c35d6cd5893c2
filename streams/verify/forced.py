"""Decisions by timeout and pressure: which items were there then, no log tells, so they are judged for legality."""

from __future__ import annotations

from collections.abc import Sequence

from streams.join.model import Item
from streams.join.size import item_bytes
from streams.join.strategy import distance_ms
from streams.verify.fact import Fact
from streams.verify.open_items import OpenStream, item_of
from streams.verify.words import say


def wrong_of_forced(stream: OpenStream, start_ms: int, bound_ms: int, members: Sequence[Fact]) -> str:
    """What makes a set by timeout or pressure illegal, "" where nothing does; its members may be in the join."""
    items = [item_of(fact) for fact in members]
    if not items:
        return "it has no member"
    wrong = _WRONG[stream.settings.strategy](stream, start_ms, items)
    if wrong:
        return wrong
    for fact in _below_the_bound(stream, members):
        if not stream.may_have_forgotten_the_bound(fact):
            return f"{say([fact.place])} is older than the bound {stream.bound_ms} of an earlier one"
    least_ms = start_ms
    if stream.settings.strategy == "tumbling":
        least_ms = (
            max(item.time_ms for item in items) if _is_full(stream, items) else start_ms + stream.settings.size_ms
        )
    return "" if bound_ms >= least_ms else f"its bound must be at least {least_ms}, and is {bound_ms}"


def _is_full(stream: OpenStream, items: Sequence[Item]) -> bool:
    """Whether the window may have held more than had room in the set."""
    n_bytes = sum(item_bytes(stream.name, item.lane) for item in items)
    return n_bytes + max(item_bytes(stream.name, lane) for lane in stream.lane_names) > stream.settings.max_set_bytes


def n_with_room(stream: OpenStream, items: Sequence[Item]) -> int:
    """How many of these, from the first on, one set has room for."""
    n_bytes = 0
    for n, item in enumerate(items if stream.settings.strategy == "tumbling" else ()):
        n_bytes += item_bytes(stream.name, item.lane)
        if n and n_bytes > stream.settings.max_set_bytes:
            return n
    return len(items)


def _below_the_bound(stream: OpenStream, members: Sequence[Fact]) -> list[Fact]:
    """Members that came too late; with a pivot others may be older, because they were held when the bound was set."""
    below = [fact for fact in members if item_of(fact).time_ms < stream.bound_ms]
    if stream.settings.strategy == "nearest":
        return [fact for fact in below if item_of(fact).lane == stream.settings.pivot]
    return below


def _wrong_earliest(stream: OpenStream, start_ms: int, items: Sequence[Item]) -> str:
    opener = min(items, key=lambda item: (item.time_ms, stream.order[item.lane]))
    limit_ms = opener.end_ms + stream.settings.tolerance_ms
    if start_ms != opener.time_ms:
        return f"its first member is at {opener.time_ms}, and it starts at {start_ms}"
    far = [(item.topic, item.offset) for item in items if item.time_ms > limit_ms]
    return f"{say(far)} is outside the tolerance, which ends at {limit_ms}" if far else _one_a_lane(items)


def _wrong_nearest(stream: OpenStream, start_ms: int, items: Sequence[Item]) -> str:
    pivots = [item for item in items if item.lane == stream.settings.pivot]
    if len(pivots) != 1 or start_ms != pivots[0].time_ms:
        return f"it must start at its one item of the pivot lane, and starts at {start_ms}"
    tolerance_ms = stream.settings.tolerance_ms
    far = [(item.topic, item.offset) for item in items if distance_ms(item, pivots[0]) > tolerance_ms]
    return f"{say(far)} is outside the tolerance of the pivot" if far else _one_a_lane(items)


def _wrong_tumbling(stream: OpenStream, start_ms: int, items: Sequence[Item]) -> str:
    size_ms = stream.settings.size_ms
    outside = [(item.topic, item.offset) for item in items if not start_ms <= item.time_ms < start_ms + size_ms]
    if start_ms % size_ms or outside:
        return f"{say(outside)} is outside the window of {start_ms}"
    return (
        "" if n_with_room(stream, items) == len(items) else f"it takes more than {stream.settings.max_set_bytes} bytes"
    )


def _one_a_lane(items: Sequence[Item]) -> str:
    return "" if len({item.lane for item in items}) == len(items) else "it has two members of one lane"


_WRONG = {"earliest": _wrong_earliest, "nearest": _wrong_nearest, "tumbling": _wrong_tumbling}
