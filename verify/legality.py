"""Rules for decisions that hold in any state of the join, and for decisions by timeout or pressure, whose members the
logs do not determine.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.join.items import Item, SetDecision, UnfusedDecision
from streams.join.lane_clock import NEVER_MS
from streams.join.settings import JoinSettings, item_bytes
from streams.join.strategy import distance_ms
from verify.log import LoggedDecision
from verify.open_items import OpenStream, item_of
from verify.record_facts import Fact
from verify.wording import places_of, say, say_lane


def wrong_members(placed: LoggedDecision, items: Sequence[Item], facts: Sequence[Fact], *, in_join: bool) -> str:
    """Return why one of the items must not be in this decision; "" if all may.

    `in_join`: the join made the decision over held items.
    """
    for item, fact in zip(items, facts, strict=True):
        earlier = fact.ended_before(placed)
        if earlier is not None:
            return f"{say([fact.place])} was decided before, at log offset {earlier.offset}"
        if fact.item is None or fact.rejected:
            return f"{say([fact.place])} can only be a dead letter ({fact.rejected})"
        if fact.item != item:
            return f"{say([fact.place])} is described as {item} but is {fact.item}"
        if in_join and not fact.joins:
            return f"{say_lane([fact])}, so it cannot be in the join"
    if len({fact.place for fact in facts}) < len(facts):
        return "a record is named twice"
    return ""


def wrong_form(decision: SetDecision, lane_names: Sequence[str], settings: JoinSettings) -> str:
    """Return what is wrong with a set by itself; "" if nothing is."""
    present = [item.lane for item in decision.members]
    missing = tuple(lane for lane in lane_names if lane not in present)
    if decision.strategy != settings.strategy:
        return f"the strategy is {settings.strategy}"
    if decision.missing != missing:
        return f"it lacks {say(missing)} but says {say(decision.missing)}"
    if decision.outcome != ("partial" if missing else "complete"):
        return f"it lacks {say(missing)} but says {decision.outcome}"
    if set(missing) & set(settings.require):
        return f"it lacks {say(missing)} but requires {say(settings.require)}"
    shares = settings.strategy == "nearest" and settings.share
    still_open = tuple(index for index, lane in enumerate(present) if shares and lane != settings.pivot)
    if decision.open_members != still_open:
        return f"members {still_open} may be in further sets but it says {decision.open_members}"
    order = [(lane_names.index(item.lane), item.time_ms, item.offset) for item in decision.members]
    return "" if order == sorted(order) else f"its members are out of order: {say(places_of(decision.members))}"


def wrong_alone(decision: UnfusedDecision, fact: Fact, bound_ms: int) -> str:
    """Return why a record must not be late, duplicate or unexpected; "" if the logs explain it.

    bound_ms: the stream's bound from earlier decisions by timeout or pressure.
    """
    item, reason = decision.item, decision.reason
    if reason == "unexpected":
        return f"the stream waits for lane {item.lane}" if fact.expected else ""
    explained = fact.duplicate or fact.maybe_duplicate
    if reason == "late":
        explained = fact.late or fact.maybe_late or item.time_ms < bound_ms
    if not fact.expected or not explained:
        return "nothing before it in its lane says so"
    # The bound depends on when it was read, and a run does not say how late it was: no amount to check then.
    if reason == "duplicate" or bound_ms != NEVER_MS or not fact.late or not decision.late_by_ms:
        return ""
    if item.time_ms + decision.late_by_ms in (fact.late_limit_ms, fact.maybe_limit_ms):
        return ""
    return f"it is late by {fact.late_limit_ms - item.time_ms} ms, not {decision.late_by_ms}"


def wrong_of_forced(stream: OpenStream, start_ms: int, bound_ms: int, members: Sequence[Fact]) -> str:
    """Return why a set by timeout or pressure is illegal, "" if it is not; its members may be in the join."""
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
    return "" if bound_ms >= least_ms else f"its bound must be at least {least_ms} but is {bound_ms}"


def _is_full(stream: OpenStream, items: Sequence[Item]) -> bool:
    """Tell whether the window may have had more items than fit into the set."""
    n_bytes = sum(item_bytes(stream.name, item.lane) for item in items)
    return n_bytes + max(item_bytes(stream.name, lane) for lane in stream.lane_names) > stream.settings.max_set_bytes


def n_with_room(stream: OpenStream, items: Sequence[Item]) -> int:
    """Count the first items that fit into one set."""
    n_bytes = 0
    for n, item in enumerate(items if stream.settings.strategy == "tumbling" else ()):
        n_bytes += item_bytes(stream.name, item.lane)
        if n and n_bytes > stream.settings.max_set_bytes:
            return n
    return len(items)


def _below_the_bound(stream: OpenStream, members: Sequence[Fact]) -> list[Fact]:
    """Return members below the bound; with a pivot only the pivot counts, since others may have been held before it."""
    below = [fact for fact in members if item_of(fact).time_ms < stream.bound_ms]
    if stream.settings.strategy == "nearest":
        return [fact for fact in below if item_of(fact).lane == stream.settings.pivot]
    return below


def _wrong_earliest(stream: OpenStream, start_ms: int, items: Sequence[Item]) -> str:
    opener = min(items, key=lambda item: (item.time_ms, stream.order[item.lane]))
    limit_ms = opener.end_ms + stream.settings.tolerance_ms
    if start_ms != opener.time_ms:
        return f"its first member is at {opener.time_ms} but it starts at {start_ms}"
    far = [(item.topic, item.offset) for item in items if item.time_ms > limit_ms]
    return f"{say(far)} is outside the tolerance, which ends at {limit_ms}" if far else _one_a_lane(items)


def _wrong_nearest(stream: OpenStream, start_ms: int, items: Sequence[Item]) -> str:
    pivots = [item for item in items if item.lane == stream.settings.pivot]
    if len(pivots) != 1 or start_ms != pivots[0].time_ms:
        return f"it must start at its one item of the pivot lane but starts at {start_ms}"
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
