"""Decisions by timeout and pressure outside the rules, planted one at a time."""

from __future__ import annotations

import msgspec

from streams.join.items import (
    SetDecision,
    UnfusedDecision,
)
from tests.guarantees.plants import partial, plant
from tests.support.drafts import Draft

replace = msgspec.structs.replace


@plant("illegal decision")
def a_timeout_goes_beyond_the_tolerance(draft: Draft) -> None:
    """The last two moments of a stream are one set by timeout."""
    *_, one, two = [decision for decision in draft.sets() if decision.stream == draft.sets()[0].stream]
    image = next(item for item in one.members if item.lane == "image")
    text = next(item for item in two.members if item.lane == "text")
    rest = [item for item in one.members if item.lane != "image"], [i for i in two.members if i.lane != "text"]
    first_ms = min(item.time_ms for item in one.members)
    forced = [partial(one, *rest[0], reason="timeout", bound_ms=first_ms),
              partial(one, image, text, reason="timeout", bound_ms=two.start_ms)]  # fmt: skip
    draft.decide_instead(one, *forced)
    draft.decide_instead(two, partial(two, *rest[1], reason="timeout", bound_ms=two.start_ms))


@plant("illegal decision", "nearest")
def a_pivot_takes_by_pressure_what_is_too_far(draft: Draft) -> None:
    """The last pivot of a stream takes what is outside the tolerance."""
    *_, one, two = [decision for decision in draft.sets() if decision.stream == draft.sets()[0].stream]
    far = next(item for item in one.members if item.lane == "image")
    near = [item for item in two.members if item.lane == "text"]
    rest = [item for item in two.members if item.lane not in ("image", "text")]
    forced = replace(partial(two, far, *near, reason="pressure", bound_ms=two.start_ms), start_ms=two.start_ms)
    left = [UnfusedDecision(item, "unmatched") for item in (*rest, *(i for i in two.members if i.lane == "image"))]
    draft.decide_instead(one, replace(partial(one, *(i for i in one.members if i is not far), reason="pressure",
                                               bound_ms=one.start_ms), start_ms=one.start_ms))  # fmt: skip
    draft.decide_instead(two, forced, *left)


def _by_timeout(draft: Draft) -> SetDecision:
    return [decision for n in (1, 2) for decision in draft.sets("timeout", n)][-1]


@plant("illegal decision", "timers")
def a_timeout_claims_what_was_claimed_before(draft: Draft) -> None:
    """A set by timeout is decided a second time, by a valid batch."""
    draft.append(_by_timeout(draft))


@plant("illegal decision", "timers")
def a_timeout_says_another_start(draft: Draft) -> None:
    """It starts before its first member."""
    decision = _by_timeout(draft)
    draft.swap(decision, replace(decision, start_ms=decision.start_ms - 10))


@plant("illegal decision", "timers")
def a_timeout_sets_no_bound(draft: Draft) -> None:
    """What is older than the set could still open one."""
    decision = _by_timeout(draft)
    draft.swap(decision, replace(decision, bound_ms=0))


@plant("illegal decision", "timers")
def a_timeout_calls_a_lane_missing_that_is_there(draft: Draft) -> None:
    """`missing` names a lane that has a member."""
    decision = _by_timeout(draft)
    lanes = tuple(lane for lane in ("image", "text", "audio") if lane in (decision.members[0].lane, *decision.missing))
    draft.decide_instead(decision, replace(decision, missing=lanes))
