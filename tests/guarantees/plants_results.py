"""What must not be published, and commits that come too early; planted one at a time."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.join.items import (
    DeadLetterDecision,
    SetDecision,
    UnfusedDecision,
)
from syncline.wire.contract import DEADLETTER, FUSED, RESULT_TOPICS, UNFUSED
from tests.guarantees.plants import plant
from tests.support.drafts import Draft, places_of
from verify import CommitSample
from verify.history import Fused, Single, Unreadable

replace = msgspec.structs.replace


def _publish_alone(draft: Draft, decision: SetDecision) -> None:
    """Publish the first member of a set as a set of its own."""
    result = draft.fused_of(decision)
    draft.publish(FUSED, replace(result, id="0" * 32, members=result.members[:1], outcome="partial", reason="timeout",
                                 missing=tuple(m.lane for m in result.members[1:])))  # fmt: skip


@plant("void effect", also=("two outcomes",))
def a_void_batch_took_effect(draft: Draft) -> None:
    """A worker that had lost its claim carried out what it had proposed."""
    decision = draft.sets()[2]
    alone = replace(decision, members=decision.members[:1], reason="timeout", outcome="partial",
                    missing=tuple(item.lane for item in decision.members[1:]), bound_ms=decision.start_ms)  # fmt: skip
    draft.append(alone, void=True)
    _publish_alone(draft, decision)


@plant("void effect", also=("two outcomes",))
def a_void_unfused_took_effect(draft: Draft) -> None:
    """An event is called late by a batch that does not count."""
    item = draft.sets()[2].members[0]
    draft.append(UnfusedDecision(item, "late", 3), void=True)
    draft.publish(UNFUSED, Single(0, f"{item.topic}/0/{item.offset}", item.topic, 0, item.offset, "late", 3))


@plant("void effect", also=("two outcomes",))
def a_void_dead_letter_took_effect(draft: Draft) -> None:
    """A record is a dead letter by a batch that does not count."""
    item = draft.sets()[2].members[0]
    draft.append(DeadLetterDecision(item.topic, item.offset, "image_undecodable", item), void=True)
    single = Single(0, f"{item.topic}/0/{item.offset}", item.topic, 0, item.offset, "image_undecodable")
    draft.publish(DEADLETTER, single)


@plant("void effect", also=("no outcome", "early commit"))
def a_result_has_another_id(draft: Draft) -> None:
    """Its id does not follow from its members."""
    result = draft.fused_of(draft.sets()[2])
    draft.change_results(FUSED, lambda record: replace(result, id="0" * 32) if record == result else record)


@plant("void effect")
def a_result_cannot_be_read(draft: Draft) -> None:
    """Somebody else writes into `results.fused`."""
    draft.publish(FUSED, Unreadable(0, "no MessagePack"))


@plant("differing repeat")
def a_repeat_has_other_members(draft: Draft) -> None:
    """The same id, one member less."""
    result = draft.fused_of(draft.sets()[2])
    draft.publish(FUSED, replace(result, members=result.members[:2], missing=("audio",), outcome="partial"))


@plant("differing repeat")
def a_repeat_has_another_reason(draft: Draft) -> None:
    """The same id and members, another reason."""
    draft.publish(FUSED, replace(draft.fused_of(draft.sets()[2]), reason="timeout"))


@plant("differing repeat")
def an_unfused_event_is_repeated_with_another_reason(draft: Draft) -> None:
    """The same record, late at first and unmatched later."""
    late = next(record for record in draft.results(UNFUSED, Single) if record.reason == "late")
    draft.publish(UNFUSED, replace(late, reason="unmatched", late_by_ms=0))


@plant("out of order")
def two_results_of_a_stream_are_exchanged(draft: Draft) -> None:
    """The second set of a stream is published before the first."""
    stream = draft.sets()[0].stream
    one, two = [record for record in draft.results(FUSED, Fused) if record.stream == stream][:2]

    def change(record: Any) -> Any:
        other = {one.at: two, two.at: one}.get(record.at)
        return record if other is None else replace(other, at=record.at)

    draft.change_results(FUSED, change)


@plant("early commit")
def a_commit_passes_an_open_record(draft: Draft) -> None:
    """An offset above a member is committed before its set is out."""
    decision = draft.sets()[3]
    topic, offset = places_of(decision)[0]
    before = {(name, 0): 0 for name in RESULT_TOPICS}
    before[FUSED, 0] = draft.fused_of(decision).at
    others = {(UNFUSED, 0): draft.partition.spans[UNFUSED].end, (DEADLETTER, 0): draft.partition.spans[DEADLETTER].end}
    committed = {(topic, 0): offset + 1}
    draft.history.commits.insert(0, CommitSample(committed=committed, ends=before | others))
