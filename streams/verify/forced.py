"""Decisions by timeout and pressure: which items were there then, no log tells, so they are judged for legality."""

from __future__ import annotations

from collections.abc import Sequence

from streams.join.model import Item
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
    least_ms = start_ms + (stream.settings.size_ms if stream.settings.strategy == "tumbling" else 0)
    return "" if bound_ms >= least_ms else f"its bound must be at least {least_ms}, and is {bound_ms}"


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
    return ""


def _one_a_lane(items: Sequence[Item]) -> str:
    return "" if len({item.lane for item in items}) == len(items) else "it has two members of one lane"


_WRONG = {"earliest": _wrong_earliest, "nearest": _wrong_nearest, "tumbling": _wrong_tumbling}
