"""Finds the set that the join must pick next from a stream's open items, independently of the join's code; also sets
that were given up for a required lane, whose members are single decisions in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.join.items import Item, SetDecision
from streams.join.settings import item_bytes
from streams.join.strategy import distance_ms
from verify.legality import n_with_room, wrong_of_forced
from verify.open_items import OpenStream, item_of
from verify.record_facts import Fact
from verify.report import Place
from verify.wording import say


class Pick(NamedTuple):
    """A set: members in lane order, start, lanes without a member; `waits_for`: lanes whose watermark is too low."""

    members: list[Fact]
    start_ms: int
    missing: tuple[str, ...]
    waits_for: tuple[str, ...]


def pick(stream: OpenStream, extra: Sequence[Fact]) -> Pick | None:
    """Return the next set by the strategy; None if nothing is open."""
    return _PICKS[stream.settings.strategy](stream, extra)


def _earliest(stream: OpenStream, extra: Sequence[Fact]) -> Pick | None:
    first = {lane: next(stream.open_in(lane, extra), None) for lane in stream.lane_names}
    found = [fact for fact in first.values() if fact is not None]
    if not found:
        return None
    opener = item_of(min(found, key=lambda fact: item_of(fact).time_ms))  # ties: the first in lane order
    limit_ms = opener.end_ms + stream.settings.tolerance_ms
    members, missing, waits = list[Fact](), list[str](), list[str]()
    for lane, fact in first.items():
        if fact is not None and item_of(fact).time_ms <= limit_ms:
            members.append(fact)
            need_ms = item_of(fact).time_ms
        else:
            missing.append(lane)
            need_ms = limit_ms + 1
        if stream.reached_ms(lane) < need_ms:
            waits.append(lane)
    return Pick(members, opener.time_ms, tuple(missing), tuple(waits))


def _nearest(stream: OpenStream, extra: Sequence[Fact]) -> Pick | None:
    settings = stream.settings
    first = next(stream.open_in(settings.pivot, extra), None)
    if first is None:
        return None
    pivot, tolerance_ms = item_of(first), settings.tolerance_ms
    members, missing, waits = list[Fact](), list[str](), list[str]()
    for lane in stream.lane_names:
        if lane == settings.pivot:
            members.append(first)
            continue
        best, gap_ms = None, tolerance_ms + 1
        for fact in stream.open_in(lane, extra, pivot.end_ms + tolerance_ms):
            if (now_ms := distance_ms(item_of(fact), pivot)) < gap_ms:
                best, gap_ms = fact, now_ms
        if best is None:
            missing.append(lane)
        else:
            members.append(best)
        if stream.reached_ms(lane) < pivot.end_ms + gap_ms:
            waits.append(lane)
    return Pick(members, pivot.time_ms, tuple(missing), tuple(waits))


def _tumbling(stream: OpenStream, extra: Sequence[Fact]) -> Pick | None:
    size_ms = stream.settings.size_ms
    firsts = [fact for lane in stream.lane_names if (fact := next(stream.open_in(lane, extra), None)) is not None]
    if not firsts:
        return None
    start_ms = min(item_of(fact).time_ms for fact in firsts) // size_ms * size_ms
    end_ms = start_ms + size_ms
    window = [
        fact
        for lane in stream.lane_names
        for fact in stream.open_in(lane, extra, end_ms - 1)
        if item_of(fact).time_ms < end_ms
    ]
    members = _first_that_fit(stream, window)
    present = {item_of(fact).lane for fact in members}
    waits = tuple(lane for lane in stream.lane_names if stream.reached_ms(lane) < end_ms)
    missing = tuple(lane for lane in stream.lane_names if lane not in present)
    return Pick(members, start_ms, missing, waits)


def _first_that_fit(stream: OpenStream, window: list[Fact]) -> list[Fact]:
    """Return the members of a window's first set; a window with too much gives several."""
    sized = ((fact, item_bytes(stream.name, item_of(fact).lane)) for fact in sorted(window, key=stream.by_time))
    n_bytes, fit = 0, set[Place]()
    for fact, size in sized:
        n_bytes += size
        if fit and n_bytes > stream.settings.max_set_bytes:
            break
        fit.add(fact.place)
    return [fact for fact in window if fact.place in fit]


def pivot_that_reaches(stream: OpenStream, fact: Fact) -> Fact | None:
    """Return an open pivot that may still take `fact` (strategy `nearest`)."""
    reach_ms = item_of(fact).end_ms + stream.settings.tolerance_ms
    return next(stream.open_in(stream.settings.pivot, (), reach_ms), None)


def say_pick(found: Pick | None) -> str:
    """Describe the members of a pick."""
    return say(fact.place for fact in found.members) if found else "nothing"


def wrong_of_pick(decision: SetDecision, found: Pick | None, facts: Sequence[Fact]) -> str:
    """Return how a set decided by watermarks differs from the expected one; "" if it does not."""
    if found is None or [fact.place for fact in found.members] != [fact.place for fact in facts]:
        return f"the logs give {say_pick(found)}"
    if decision.start_ms != found.start_ms:
        return f"it starts at {found.start_ms} but says {decision.start_ms}"
    if found.waits_for:
        return f"the watermark of {say(found.waits_for)} never got there"
    if decision.reason != ("watermark" if found.missing else "complete") or decision.bound_ms:
        return f"it lacks {say(found.missing)} but says {decision.reason} with bound {decision.bound_ms}"
    return ""


_PICKS = {"earliest": _earliest, "nearest": _nearest, "tumbling": _tumbling}


class GivenUp(NamedTuple):
    """How many of a run's first unmatched items are one set; `wrong` says why it is illegal."""

    n_members: int
    wrong: str = ""


def by_the_logs(stream: OpenStream, run: Sequence[Fact]) -> GivenUp | None:
    """Return the expected next set, if it lacks a required lane and the run begins with its members."""
    found = pick(stream, run)
    if found is None or found.waits_for or not set(found.missing) & set(stream.settings.require):
        return None
    ends = [fact.place for fact in found.members if not _stays_open(stream, fact)]
    if ends != [fact.place for fact in run[: len(ends)]]:
        return None
    return GivenUp(len(ends))


def by_force(stream: OpenStream, bound_ms: int, run: Sequence[Fact]) -> GivenUp:
    """Return a set given up by timeout or pressure: the items of `run`, of one bound, that can be in one set."""
    size = 1
    most = n_with_room(stream, [item_of(fact) for fact in run])
    while size < most and _can_be_in_one(stream, run[size - 1], run[size]):
        size += 1
    members = run[:size]
    items = [item_of(fact) for fact in members]
    required = set(stream.settings.require) - {item.lane for item in items}
    wrong = wrong_of_forced(stream, _start_ms(stream, items), bound_ms, members)
    if not wrong and not required and not _shares(stream):
        wrong = f"it lacks none of {say(stream.settings.require)}, which are required"
    return GivenUp(size, wrong)


def _shares(stream: OpenStream) -> bool:
    return stream.settings.strategy == "nearest" and stream.settings.share


def _stays_open(stream: OpenStream, fact: Fact) -> bool:
    """Tell whether a member stays open: with `share` only the pivot of a set that was given up is unmatched."""
    return _shares(stream) and item_of(fact).lane != stream.settings.pivot


def _can_be_in_one(stream: OpenStream, before: Fact, after: Fact) -> bool:
    one, two = item_of(before), item_of(after)
    places = [(stream.order[item.lane], item.time_ms, item.offset) for item in (one, two)]
    if stream.settings.strategy == "tumbling":
        size_ms = stream.settings.size_ms
        return one.time_ms // size_ms == two.time_ms // size_ms and places[0] < places[1]
    return places[0][0] < places[1][0] and not _shares(stream)


def _start_ms(stream: OpenStream, items: Sequence[Item]) -> int:
    if stream.settings.strategy == "tumbling":
        return items[0].time_ms // stream.settings.size_ms * stream.settings.size_ms
    pivots = [item.time_ms for item in items if item.lane == stream.settings.pivot]
    if stream.settings.strategy == "nearest" and pivots:
        return pivots[0]
    return min(item.time_ms for item in items)
