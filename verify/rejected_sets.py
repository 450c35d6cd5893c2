"""Sets that lack a required lane: the log holds their members one by one, as unmatched; here they are found again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.join.items import Item
from verify.expected_sets import pick
from verify.legality import n_with_room, wrong_of_forced
from verify.open_items import OpenStream, item_of
from verify.record_facts import Fact
from verify.wording import say


class GivenUp(NamedTuple):
    """The first so many of a run of unmatched items are one set; `wrong` is what makes it illegal."""

    n_members: int
    wrong: str = ""


def by_the_logs(stream: OpenStream, run: Sequence[Fact]) -> GivenUp | None:
    """The set that the logs give next, where it lacks a required lane and the run begins with its members."""
    found = pick(stream, run)
    if found is None or found.waits_for or not set(found.missing) & set(stream.settings.require):
        return None
    ends = [fact.place for fact in found.members if not _stays_open(stream, fact)]
    if ends != [fact.place for fact in run[: len(ends)]]:
        return None
    return GivenUp(len(ends))


def by_force(stream: OpenStream, bound_ms: int, run: Sequence[Fact]) -> GivenUp:
    """A set that timeout or pressure gave up: the members of `run`, which have the same bound, that can be in one."""
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
    """With `share` only the pivot of a set that was given up is unmatched; the others may serve later pivots."""
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
