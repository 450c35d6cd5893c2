"""What forbids a decision whatever the join was doing: its members, and its form."""

from __future__ import annotations

from collections.abc import Sequence

from streams.join.lane_clock import NEVER_MS
from streams.join.model import Item, SetDecision, UnfusedDecision
from streams.join.settings import JoinSettings
from streams.verify.fact import Fact
from streams.verify.log import Placed
from streams.verify.words import places_of, say, say_lane


def wrong_members(placed: Placed, items: Sequence[Item], facts: Sequence[Fact], *, in_join: bool) -> str:
    """What forbids one of the items to be in this decision; "" where nothing does.

    `in_join`: the decision is one of the join over items that it held.
    """
    for item, fact in zip(items, facts, strict=True):
        earlier = fact.ended_before(placed)
        if earlier is not None:
            return f"{say([fact.place])} was decided before, at log offset {earlier.offset}"
        if fact.item is None or fact.rejected:
            return f"{say([fact.place])} can only be a dead letter ({fact.rejected})"
        if fact.item != item:
            return f"{say([fact.place])} is described as {item}, and is {fact.item}"
        if in_join and not fact.joins:
            return f"{say_lane([fact])}, so it cannot be in the join"
    if len({fact.place for fact in facts}) < len(facts):
        return "a record is named twice"
    return ""


def wrong_form(decision: SetDecision, lane_names: Sequence[str], settings: JoinSettings) -> str:
    """What is wrong with a set by itself; "" where nothing is."""
    present = [item.lane for item in decision.members]
    missing = tuple(lane for lane in lane_names if lane not in present)
    if decision.strategy != settings.strategy:
        return f"the strategy is {settings.strategy}"
    if decision.missing != missing:
        return f"it lacks {say(missing)}, and says {say(decision.missing)}"
    if decision.outcome != ("partial" if missing else "complete"):
        return f"it lacks {say(missing)}, and says {decision.outcome}"
    if set(missing) & set(settings.require):
        return f"it lacks {say(missing)}, and {say(settings.require)} is required"
    shares = settings.strategy == "nearest" and settings.share
    still_open = tuple(index for index, lane in enumerate(present) if shares and lane != settings.pivot)
    if decision.open_members != still_open:
        return f"members {still_open} may serve further sets, and it says {decision.open_members}"
    order = [(lane_names.index(item.lane), item.time_ms, item.offset) for item in decision.members]
    return "" if order == sorted(order) else f"its members are out of order: {say(places_of(decision.members))}"


def wrong_alone(decision: UnfusedDecision, fact: Fact, bound_ms: int) -> str:
    """What is wrong with a record's being late, duplicate or unexpected; "" where the logs explain it.

    bound_ms: below what its stream is late because of decisions by timeout or pressure before it in the log.
    """
    item, reason = decision.item, decision.reason
    if reason == "unexpected":
        return f"the stream waits for lane {item.lane}" if fact.expected else ""
    explained = fact.duplicate or fact.maybe_duplicate
    if reason == "late":
        explained = fact.late or fact.maybe_late or item.time_ms < bound_ms
    if not fact.expected or not explained:
        return "nothing before it in its lane says so"
    # By which bound it was late depends on when it was read; a run does not say by how much.
    if reason == "duplicate" or bound_ms != NEVER_MS or not fact.late or not decision.late_by_ms:
        return ""
    if item.time_ms + decision.late_by_ms in (fact.late_limit_ms, fact.maybe_limit_ms):
        return ""
    return f"it is late by {fact.late_limit_ms - item.time_ms} ms, not {decision.late_by_ms}"
