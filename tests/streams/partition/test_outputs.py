"""streams/partition/outputs.py: what is published of each kind of decision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.interface import Conversion, Fusion, Prepared
from streams.decisions.records import InFlightRecord, Record, Rejected, Task
from streams.join.items import DeadLetterDecision, Item, RunDecision, SetDecision, UnfusedDecision
from streams.partition.outputs import Outputs
from streams.payload import Payload
from syncline.wire.contract import CONVERTED_TEXT, DEADLETTER, FUSED, UNFUSED
from syncline.wire.converted import decode_converted
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.ids import result_id
from syncline.wire.results import ModelInfo, decode_fused, decode_unfused
from tests.support.moments import START_MS
from tests.support.raw import event, raw

PARTITION = 3
MODEL = ModelInfo("m", "2")


def held(modality: str, offset: int, rejected: Rejected | None = None, **changes: Any) -> InFlightRecord:
    """A held record as the decoder leaves it."""
    of = event(modality, **{"id": str(offset), **changes})
    item = Item("s", modality, f"media.{modality}", offset, of.time_ms, of.end_ms, 1, START_MS)
    prepared = None if rejected else Prepared(None, words=(("hello", "l"),) if modality == "text" else ())
    payload = Payload(raw(of, offset, value=b"media"), of, prepared)
    return InFlightRecord(item.topic, Record(offset, item, rejected, 1, payload))


def set_task(*members: InFlightRecord | None, strategy: str = "earliest", items: tuple[Item, ...] = ()) -> Task:
    """A confirmed set of these members, all of them here."""
    items = items or tuple(one.item for one in members if one is not None and one.item is not None)
    decision = SetDecision("s", strategy, "partial", "watermark", START_MS, items, ("audio",))
    task = Task(decision, [(item.topic, item.offset) for item in items], 0)
    task.records = list(members)
    return task


def one_task(decision: Any, of: InFlightRecord | None) -> Task:
    task = Task(decision, [("media.image", 0)], 0)
    task.records = [of]
    return task


@pytest.fixture
def outputs() -> Outputs:
    return Outputs(PARTITION, 1_000, MODEL)


def test_a_fused_set_says_who_was_in_it_and_what_was_missing(outputs: Outputs) -> None:
    """Members with their places, the time they cover together, and an id made of them alone."""
    task = set_task(held("image", 4, duration_ms=40), held("text", 7, time_ms=START_MS - 10))
    fusion = Fusion(labels=[("cat", 0.5)], embedding=np.ones(3, np.float32))
    (record,) = outputs.of(task, fusion)
    result = decode_fused(record.value)
    assert (record.topic, record.key) == (FUSED, b"s")
    assert (result.start_ms, result.end_ms) == (START_MS - 10, START_MS + 40)
    assert (result.outcome, result.reason, result.missing) == ("partial", "watermark", ("audio",))
    assert [(m.lane, m.topic, m.partition, m.offset, m.event_id) for m in result.members] == [
        ("image", "media.image", PARTITION, 4, "4"),
        ("text", "media.text", PARTITION, 7, "7"),
    ]
    assert result.members[1].words == (("hello", "l"),)
    assert result.labels == (("cat", 0.5),)
    assert result.model == MODEL
    context = [("image", START_MS, "urn:x", "4"), ("text", START_MS - 10, "urn:x", "7")]
    assert result.id == result_id("s", "earliest", context)


def test_a_tumbling_set_covers_its_window(outputs: Outputs) -> None:
    """Whatever its members cover."""
    (record,) = outputs.of(set_task(held("image", 4), strategy="tumbling"), Fusion())
    result = decode_fused(record.value)
    assert (result.start_ms, result.end_ms) == (START_MS, START_MS + 1_000)


def test_conversions_follow_the_result_they_were_made_with(outputs: Outputs) -> None:
    """Their id has no part of the set's."""
    task = set_task(held("image", 4), held("text", 7))
    fused, said = outputs.of(task, Fusion(conversions=[Conversion(0, "caption", "a cat", 0.75)]))
    (alone,) = outputs.of(set_task(held("image", 4)), Fusion(conversions=[Conversion(0, "caption", "a cat", 0.75)]))[1:]
    assert (fused.topic, said.topic) == (FUSED, CONVERTED_TEXT)
    text = decode_converted(said.value)
    assert (text.event_id, text.text, text.score, text.offset) == ("4", "a cat", 0.75, 4)
    assert decode_converted(alone.value).id == text.id


def test_a_failed_set_is_a_dead_letter_a_member(outputs: Outputs) -> None:
    """The broken one with its own reason, the others with the set's; the lost one has nothing left to send."""
    good, broken = held("image", 4), held("text", 7, Rejected("text_not_utf8", "byte 0"))
    items = (good.item, broken.item, Item("s", "audio", "media.audio", 9, START_MS, START_MS, 1, START_MS))
    task = set_task(good, broken, None, items=items)  # type: ignore[arg-type]
    task.failed = "lost"
    letters = [decode_dead_letter(record.key, record.value, record.headers) for record in outputs.of(task, None)]
    assert [(letter.topic, letter.reason, letter.data) for letter in letters] == [
        ("media.image", "lost", b"media"),
        ("media.text", "text_not_utf8", b"media"),
    ]
    assert letters[0].set_id
    assert letters[0].set_id == letters[1].set_id


def test_an_unfused_event_says_why_and_by_how_much(outputs: Outputs) -> None:
    """Without its payload, with the record's headers."""
    of = held("image", 4)
    assert of.item is not None
    (record,) = outputs.of(one_task(UnfusedDecision(of.item, "late", 12), of), None)
    unfused = decode_unfused(record.value)
    assert record.topic == UNFUSED
    assert (unfused.reason, unfused.late_by_ms, unfused.event_id, unfused.offset) == ("late", 12, "4", 4)
    assert ("orig.ce_id", b"4") in record.headers


def test_one_of_a_run_is_what_the_run_says(outputs: Outputs) -> None:
    """Each offset of a run is a task of its own."""
    of = held("image", 4)
    (late,) = outputs.of(one_task(RunDecision("media.image", 4, 4, "unfused", "late"), of), None)
    assert decode_unfused(late.value).reason == "late"
    bad = held("image", 5, Rejected("misrouted", "elsewhere"))
    (letter,) = outputs.of(one_task(RunDecision("media.image", 5, 5, "deadletter", "misrouted"), bad), None)
    assert decode_dead_letter(letter.key, letter.value, letter.headers).detail == "elsewhere"


def test_a_dead_letter_has_the_reason_of_the_log(outputs: Outputs) -> None:
    """A worker with other settings may find another, or none, when it does it again; the log has decided."""
    for rejected in (Rejected("too_large", "now"), None):
        of = held("image", 4, rejected)
        (record,) = outputs.of(one_task(DeadLetterDecision("media.image", 4, "empty_value", of.item), of), None)
        letter = decode_dead_letter(record.key, record.value, record.headers)
        assert (record.topic, letter.reason, letter.id) == (DEADLETTER, "empty_value", "media.image/3/4")


def test_a_record_that_is_gone_has_nothing_to_send(outputs: Outputs) -> None:
    """It was deleted after it was decided and before its outcome was published."""
    assert outputs.of(one_task(DeadLetterDecision("media.image", 4, "clock"), None), None) == []


def test_a_run_that_is_unfused_is_so_where_its_records_are_refused_now() -> None:
    """Workers of other settings decided it; a dead letter would be a second outcome."""
    one = held("text", 4, Rejected("too_large"))
    one.item = None
    task = Task(RunDecision("media.text", 4, 4, "unfused", "late"), [("media.text", 4)], 0)
    task.records = [one]
    (record,) = Outputs(PARTITION, 1_000, MODEL).of(task, None)
    assert record.topic == UNFUSED
    unfused = decode_unfused(record.value)
    assert (unfused.stream, unfused.lane, unfused.time_ms, unfused.reason) == ("s", "text", START_MS, "late")
