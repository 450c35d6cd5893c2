"""Decisions that the join would not make, planted one at a time."""

from __future__ import annotations

import msgspec

from streams.join.items import (
    ClosedDecision,
    DeadLetterDecision,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)
from tests.guarantees.plants import late_in, partial, plant
from tests.support.drafts import Draft, with_members

replace = msgspec.structs.replace


def _exchange(draft: Draft, lane: str) -> None:
    """Give two complete sets of one stream each other's item of a lane."""
    one = draft.sets()[1]
    two = next(other for other in draft.sets() if other.stream == one.stream and other.start_ms > one.start_ms)
    draft.decide_instead(one, _with(one, two, lane))
    draft.decide_instead(two, _with(two, one, lane))


def _with(one: SetDecision, other: SetDecision, lane: str) -> SetDecision:
    given = next(item for item in other.members if item.lane == lane)
    return with_members(one, *(given if item.lane == lane else item for item in one.members))


@plant("wrong decision")
def two_sets_have_each_others_text(draft: Draft) -> None:
    """Strategy earliest."""
    _exchange(draft, "text")


@plant("wrong decision", "nearest")
def two_pivots_have_each_others_image(draft: Draft) -> None:
    """Strategy nearest."""
    _exchange(draft, "image")


@plant("wrong decision", "tumbling")
def a_window_lacks_one_of_its_items(draft: Draft) -> None:
    """Strategy tumbling: one of a lane's two items is left out, and is called unmatched."""
    whole = next(d for n in (4, 5, 6) for d in draft.sets(n_members=n))
    lanes = [item.lane for item in whole.members]
    left_out = next(item for item in whole.members if lanes.count(item.lane) > 1)
    rest = [item for item in whole.members if item is not left_out]
    draft.decide_instead(whole, with_members(whole, *rest), UnfusedDecision(left_out, "unmatched"))


@plant("wrong decision")
def a_complete_set_is_torn(draft: Draft) -> None:
    """A set by watermark lacks a lane that was there, and what it lacks comes as a set of its own."""
    whole = draft.sets()[2]
    first = [item for item in whole.members if item.time_ms == whole.start_ms]
    rest = [item for item in whole.members if item.time_ms > whole.start_ms]
    draft.decide_instead(whole, *(partial(whole, *members) for members in (first, rest)))


@plant("wrong decision", "timers")
def a_set_is_decided_before_the_watermark(draft: Draft) -> None:
    """What timed out is called decided by watermark, and a lane's log never came so far."""
    by_timeout = [decision for n in (1, 2) for decision in draft.sets("timeout", n)][-1]
    draft.decide_instead(by_timeout, replace(by_timeout, reason="watermark", bound_ms=0))


@plant("wrong decision")
def a_record_is_late_that_is_not(draft: Draft) -> None:
    """The first member of a set is called late."""
    whole = draft.sets()[0]
    first, *rest = whole.members
    draft.decide_instead(whole, UnfusedDecision(first, "late", 7), partial(whole, *rest))


@plant("wrong decision")
def a_late_record_is_late_by_something_else(draft: Draft) -> None:
    """By how much it is late does not fit its lane's watermark."""
    late = late_in(draft)
    draft.decide_instead(late, replace(late, late_by_ms=late.late_by_ms + 1))


@plant("wrong decision")
def a_duplicate_is_none(draft: Draft) -> None:
    """A record is called duplicate, and no other has its id."""
    late = late_in(draft)
    draft.decide_instead(late, UnfusedDecision(late.item, "duplicate"))


@plant("wrong decision")
def a_record_is_unexpected_that_is_not(draft: Draft) -> None:
    """A record of a lane that its stream waits for is called unexpected."""
    late = late_in(draft)
    draft.decide_instead(late, UnfusedDecision(late.item, "unexpected"))


@plant("wrong decision")
def a_late_record_is_fused(draft: Draft) -> None:
    """What its lane's watermark had passed is a set of its own."""
    late = late_in(draft)
    draft.decide_instead(late, partial(draft.sets()[0], late.item))


@plant("wrong decision")
def a_record_is_described_differently(draft: Draft) -> None:
    """The log says another time of a late record than its headers."""
    late = late_in(draft)
    draft.decide_instead(late, replace(late, item=replace(late.item, time_ms=late.item.time_ms + 1)))


@plant("wrong decision")
def a_record_is_decided_twice(draft: Draft) -> None:
    """A second valid batch says the same of a record again."""
    draft.append(late_in(draft))


@plant("wrong decision", "nearest")
def a_pivot_is_unmatched(draft: Draft) -> None:
    """Every pivot has its set; unmatched is for the others."""
    whole = draft.sets()[1]
    draft.decide_instead(whole, *(UnfusedDecision(item, "unmatched") for item in whole.members))


@plant("wrong decision", "share")
def a_shared_item_is_closed_that_was_in_no_set(draft: Draft) -> None:
    """What was in no set is unmatched."""
    lone = draft.find(
        lambda decision: isinstance(decision, UnfusedDecision) and decision.reason == "unmatched"
    ).decision
    assert isinstance(lone, UnfusedDecision)
    draft.decide_instead(lone, ClosedDecision(lone.item))


@plant("wrong decision", "share", also=("two outcomes", "early commit"))
def a_shared_item_is_unmatched_that_was_in_a_set(draft: Draft) -> None:
    """What was in a set is closed."""
    closed = draft.find(lambda decision: isinstance(decision, ClosedDecision)).decision
    assert isinstance(closed, ClosedDecision)
    unmatched = UnfusedDecision(closed.item, "unmatched")
    draft.swap(closed, unmatched)
    draft.publish(*draft.outputs_of(unmatched)[0])


@plant("wrong decision", "require")
def a_set_without_a_required_lane_is_fused(draft: Draft) -> None:
    """Its only member should have been unmatched."""
    whole = draft.sets()[0]
    lone = next(
        placed.decision
        for placed in draft.valid()
        if isinstance(placed.decision, UnfusedDecision)
        and placed.decision.reason == "unmatched"
        and placed.decision.item.stream == whole.stream
    )
    draft.decide_instead(lone, partial(whole, lone.item))


@plant("wrong decision", "require")
def a_whole_set_is_given_up(draft: Draft) -> None:
    """All required lanes were there."""
    whole = draft.sets()[0]
    draft.decide_instead(whole, *(UnfusedDecision(item, "unmatched") for item in whole.members))


@plant("wrong decision")
def a_dead_letter_has_another_reason_than_its_headers(draft: Draft) -> None:
    """The log says `misrouted` of a record without key."""
    broken = draft.find(
        lambda decision: isinstance(decision, DeadLetterDecision) and decision.reason == "no_key"
    ).decision
    assert isinstance(broken, DeadLetterDecision)
    draft.decide_instead(broken, replace(broken, reason="misrouted"))


@plant("wrong decision")
def a_good_record_is_a_dead_letter(draft: Draft) -> None:
    """Nothing in its headers says that it is misrouted."""
    item = late_in(draft).item
    draft.decide_instead(late_in(draft), DeadLetterDecision(item.topic, item.offset, "misrouted", item))


@plant("wrong decision")
def a_run_goes_over_a_good_record(draft: Draft) -> None:
    """A run of records without key covers one that has a key."""
    item = late_in(draft).item
    draft.decide_instead(late_in(draft), RunDecision(item.topic, item.offset, item.offset, "deadletter", "no_key"))
