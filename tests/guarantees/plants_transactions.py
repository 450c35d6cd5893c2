"""Outcomes of records whose transaction was aborted, or is open; one at a time."""

from __future__ import annotations

from syncline.wire.contract import UNFUSED
from tests.guarantees.plants import late_in, plant
from tests.guarantees.plants_endings import send
from tests.support.drafts import Draft, places_of
from verify.history import Single


@plant("aborted record")
def a_member_was_aborted(draft: Draft) -> None:
    """A worker that reads uncommitted has fused it with others."""
    draft.abort(*places_of(draft.sets()[2])[1])


@plant("aborted record")
def a_member_is_in_an_open_transaction(draft: Draft) -> None:
    """It may still be aborted, and its result is out."""
    draft.abort(*places_of(draft.sets()[2])[0], still_open=True)


@plant("aborted record")
def what_is_unfused_was_aborted(draft: Draft) -> None:
    """An event that came too late was never committed."""
    item = late_in(draft).item
    draft.abort(item.topic, item.offset)


@plant("aborted record")
def what_nobody_decided_was_aborted_and_is_published(draft: Draft) -> None:
    """The log does not name it, and `unfused` does."""
    topic, offset = draft.add_media(*next((t, r) for t, r in draft.media() if r.headers))
    draft.abort(topic, offset)
    draft.publish(UNFUSED, Single(0, f"{topic}/0/{offset}", topic, 0, offset, "late", 5))


@plant("lost write")
def what_was_said_to_be_committed_was_aborted(draft: Draft) -> None:
    """The producer was told that its transaction was committed."""
    topic, offset = draft.add_media(*next((t, r) for t, r in draft.media() if r.headers))
    record = draft.abort(topic, offset)
    send(draft, record=record, topic=topic)
