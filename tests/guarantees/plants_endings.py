"""Records without outcome or with two, lost sends, names of what is not there, failures of no set; one at a time."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.join.items import (
    FailedDecision,
    UnfusedDecision,
)
from syncline.send_log import Send
from syncline.wire.contract import DEADLETTER, FUSED, UNFUSED
from tests.guarantees.plants import partial, plant
from tests.support.drafts import Draft, places_of
from verify.history import MediaRecord, Single

replace = msgspec.structs.replace


@plant("no outcome", also=("early commit",))
def a_set_is_never_published(draft: Draft) -> None:
    """Its fused result is missing."""
    lost = draft.fused_of(draft.sets()[3])
    draft.change_results(FUSED, lambda record: None if record == lost else record)


@plant("no outcome", also=("early commit",))
def an_unfused_event_is_never_published(draft: Draft) -> None:
    """The decision is there, the event in `unfused` is not."""
    late = next(record for record in draft.results(UNFUSED, Single) if record.reason == "late")
    draft.change_results(UNFUSED, lambda record: None if record == late else record)


@plant("no outcome")
def a_record_is_never_decided(draft: Draft) -> None:
    """A record stands at the end of its topic that no decision names."""
    topic, record = next((t, r) for t, r in draft.media() if r.headers)
    draft.add_media(topic, record)


@plant("two outcomes", also=("void effect",))
def a_member_is_unfused_as_well(draft: Draft) -> None:
    """A record is in a fused set, and in `unfused`."""
    topic, offset = places_of(draft.sets()[2])[1]
    draft.publish(UNFUSED, Single(0, f"{topic}/0/{offset}", topic, 0, offset, "late", 5))


@plant("two outcomes", also=("wrong decision", "early commit"))
def a_member_is_in_two_sets(draft: Draft) -> None:
    """Two valid sets name one record, and both are published."""
    whole = draft.sets()[1]
    again = partial(whole, whole.members[0])
    draft.append(again)
    draft.publish(*draft.outputs_of(again)[0])


def send(draft: Draft, record: MediaRecord | None = None, topic: str = "", **fields: Any) -> None:
    """Have a producer say that a record is at its place, the first that has headers unless it is given."""
    if record is None:
        topic, record = next((t, r) for t, r in draft.media() if r.headers)
    headers = dict(record.headers)
    named: dict[str, Any] = {
        "id": (headers["ce_id"] or b"").decode(), "source": (headers["ce_source"] or b"").decode(), "stream": "s0",
        "lane": "image", "topic": topic, "outcome": "ok", "partition": 0, "offset": record.offset,
    }  # fmt: skip
    draft.history.sends.append(Send(**(named | fields)))


@plant("lost write")
def an_acknowledged_record_is_not_there(draft: Draft) -> None:
    """The broker said an offset at which nothing stands."""
    send(draft, offset=10_000)


@plant("lost write")
def another_record_is_at_the_acknowledged_place(draft: Draft) -> None:
    """The broker said an offset at which a record with another id stands."""
    send(draft, id="somebody else")


@plant("unknown record")
def a_result_names_a_record_that_is_not_there(draft: Draft) -> None:
    """A member's offset is above all that was written."""
    result = draft.fused_of(draft.sets()[2])
    member = replace(result.members[0], offset=10_000)
    draft.publish(FUSED, replace(result, id="0" * 32, members=(member, *result.members[1:])))


@plant("unknown record")
def a_dead_letter_names_another_partition(draft: Draft) -> None:
    """What stands in partition 0 speaks of a record in partition 1."""
    draft.publish(DEADLETTER, Single(0, "media.text/1/0", "media.text", 1, 0, "empty_value"))


@plant("unknown record")
def a_decision_names_a_record_that_is_not_there(draft: Draft) -> None:
    """The log speaks of an offset above all that was written."""
    item = replace(draft.sets()[0].members[0], offset=10_000)
    draft.append(UnfusedDecision(item, "late", 3))


@plant("wrong decision")
def a_set_fails_that_was_never_decided(draft: Draft) -> None:
    """A failure names a set that no decision made."""
    one, two = draft.sets()[:2]
    draft.append(FailedDecision((places_of(one)[0], *places_of(two)[1:]), "model_failed"))


@plant("wrong decision")
def a_member_is_called_lost_that_is_there(draft: Draft) -> None:
    """A failure says that a record is gone, and it is not."""
    places = places_of(draft.sets()[1])
    draft.append(FailedDecision(tuple(places), "lost", (places[0],)))
