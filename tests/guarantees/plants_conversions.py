"""Conversions that must not be, and ones that are missing; planted one at a time."""

from __future__ import annotations

import msgspec

from streams.join.items import Item, SetDecision, UnfusedDecision
from syncline.wire.contract import CONVERTED_TEXT, H_ID, H_TIME
from syncline.wire.ids import conversion_id
from syncline.wire.timestamps import parse_time_ms
from tests.guarantees.plants import plant
from tests.support.drafts import Draft
from tests.support.histories import SOURCE
from verify import CommitSample
from verify.history import PublishedConversion

replace = msgspec.structs.replace


def converted(draft: Draft, item: Item, kind: str = "transcript", set_id: str = "") -> PublishedConversion:
    """What a model says of one event as text."""
    record = next(record for record in draft.partition.media[item.topic] if record.offset == item.offset)
    event_id = (dict(record.headers)[H_ID] or b"").decode()
    alone = None if set_id else (item.topic, 0, item.offset)
    name = conversion_id(item.stream, item.lane, item.time_ms, SOURCE, event_id, kind, alone)
    return PublishedConversion(
        id=name, stream=item.stream, lane=item.lane, modality=item.topic.removeprefix("media."), source=SOURCE,
        event_id=event_id, topic=item.topic, partition=0, offset=item.offset, time_ms=item.time_ms,
        kind=kind, set_id=set_id,  # type: ignore[arg-type]
    )  # fmt: skip


def audio_of(draft: Draft, nth: int = 2) -> tuple[Item, str]:
    """The speech of a set, and that set's id."""
    decision = draft.sets()[nth]
    (item,) = (item for item in decision.members if item.topic == "media.audio")
    return item, draft.fused_of(decision).id


def sent_again(draft: Draft, item: Item) -> UnfusedDecision:
    """A copy of an event's record at the end of its topic, and the decision that it is late."""
    records = draft.partition.media[item.topic]
    mine = [record for record in records if record.key == item.stream.encode()]
    newest_ms = max(parse_time_ms((dict(record.headers)[H_TIME] or b"").decode()) for record in mine)
    copy = next(record for record in records if record.offset == item.offset)
    _, offset = draft.add_media(item.topic, replace(copy, append_ms=mine[-1].append_ms))
    return UnfusedDecision(replace(item, offset=offset, append_ms=mine[-1].append_ms), "late", newest_ms - item.time_ms)


def transcribe(draft: Draft) -> None:
    """Every event of audio that is fused or unfused is transcribed, before anything is committed."""
    draft.convert = ("transcript",)
    for placed in draft.valid():
        decision, set_id = placed.decision, ""
        items: tuple[Item, ...] = ()
        if isinstance(decision, SetDecision):
            items, set_id = decision.members, draft.fused_of(decision).id
        elif isinstance(decision, UnfusedDecision) and decision.reason != "duplicate":
            items = (decision.item,)
        for item in items:
            if item.topic == "media.audio":
                draft.publish(CONVERTED_TEXT, converted(draft, item, set_id=set_id))
    last = draft.history.commits[-1]
    n_converted = len(draft.partition.published[CONVERTED_TEXT])
    ends = last.ends | {(CONVERTED_TEXT, 0): n_converted}
    draft.history.commits = [CommitSample(committed=last.committed, ends=ends)]


@plant("void effect")
def a_conversion_of_a_duplicate(draft: Draft) -> None:
    """Its first copy was converted."""
    decision = draft.find(lambda one: isinstance(one, UnfusedDecision) and one.reason == "duplicate").decision
    assert isinstance(decision, UnfusedDecision)
    draft.publish(CONVERTED_TEXT, converted(draft, decision.item))


@plant("void effect")
def a_conversion_has_another_id(draft: Draft) -> None:
    """Its id does not follow from the event."""
    draft.publish(CONVERTED_TEXT, replace(converted(draft, audio_of(draft)[0]), id="0" * 32))


@plant("void effect")
def a_conversion_names_another_set(draft: Draft) -> None:
    """One that its event is not in."""
    draft.publish(CONVERTED_TEXT, converted(draft, audio_of(draft, 2)[0], set_id=audio_of(draft, 3)[1]))


@plant("differing repeat")
def two_conversions_have_one_id(draft: Draft) -> None:
    """An event that was sent again, too late: workers of before gave both the id of the event alone."""
    item, set_id = audio_of(draft, 0)
    again = sent_again(draft, item)
    draft.append(again)
    for topic, record in draft.outputs_of(again):
        draft.publish(topic, record)
    first = converted(draft, item, set_id=set_id)
    draft.publish(CONVERTED_TEXT, first)
    draft.publish(CONVERTED_TEXT, replace(converted(draft, again.item), id=first.id))


@plant("no conversion")
def a_member_is_not_converted(draft: Draft) -> None:
    """The workers were told to."""
    transcribe(draft)
    item, _ = audio_of(draft)
    _leave_out(draft, item)
    draft.history.commits.clear()


@plant("no conversion")
def an_unfused_event_is_not_converted(draft: Draft) -> None:
    """Nothing was wrong with it: it came too late for its set."""
    transcribe(draft)
    record = next(r for r in draft.results(CONVERTED_TEXT, PublishedConversion) if not r.set_id)
    draft.change_results(CONVERTED_TEXT, lambda one: None if one == record else one)
    draft.history.commits.clear()


@plant("early commit")
def a_commit_passes_an_event_that_is_not_converted_yet(draft: Draft) -> None:
    """Its set is out; its transcript would be lost in a crash."""
    transcribe(draft)
    (sample,) = draft.history.commits
    draft.history.commits = [CommitSample(committed=sample.committed, ends=sample.ends | {(CONVERTED_TEXT, 0): 3})]


def _leave_out(draft: Draft, item: Item) -> None:
    draft.change_results(
        CONVERTED_TEXT,
        lambda one: None if isinstance(one, PublishedConversion) and one.offset == item.offset else one,
    )
