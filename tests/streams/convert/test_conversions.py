"""streams/convert/conversions.py: which events are converted, and what is published of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from streams.convert.conversions import Conversions
from streams.convert.runner import ConverterRunner
from streams.decisions.records import InFlightRecord, Task
from streams.join.items import DeadLetterDecision, RunDecision, UnfusedDecision
from syncline.wire.contract import CONVERTED_AUDIO, CONVERTED_TEXT
from syncline.wire.converted import decode_converted, decode_converted_audio
from syncline.wire.ids import conversion_id
from syncline.wire.results import ModelInfo
from tests.streams.partition.test_outputs import held, one_task, set_task
from tests.support.converters import Humming, Spelling
from tests.support.moments import START_MS

PARTITION = 3


@pytest.fixture
async def conversions() -> AsyncIterator[Conversions]:
    """Transcripts of audio and speech of texts."""
    with ThreadPoolExecutor(1) as pool:
        runners = [ConverterRunner("transcript", Spelling, pool), ConverterRunner("speech", Humming, pool)]
        conversions = Conversions(runners, pool)
        await conversions.start()
        yield conversions
        await conversions.close()


def wanted_of(conversions: Conversions, task: Task) -> list[tuple[str, str, str]]:
    """Kind, lane and set of what a task wants."""
    return [(one.runner.kind, one.item.lane, one.set_id) for one in conversions.of(task, lambda: "s9")]


def test_members_of_a_fused_set_are_converted_by_who_takes_their_modality(conversions: Conversions) -> None:
    """A picture by nobody here; a lost member is not there to be converted."""
    task = set_task(held("image", 1), held("text", 2), held("audio", 3), None, items=_items("image", "text", "audio"))
    task.records = [*task.records[:3]]
    assert wanted_of(conversions, task) == [("speech", "text", "s9"), ("transcript", "audio", "s9")]


def test_an_event_is_converted_once_whatever_sets_share_it(conversions: Conversions) -> None:
    """As part of the first."""
    shared = held("audio", 3)
    assert wanted_of(conversions, set_task(shared, held("image", 1))) == [("transcript", "audio", "s9")]
    assert wanted_of(conversions, set_task(shared, held("image", 2))) == []


@pytest.mark.parametrize(("streams", "n_wanted"), [((), 1), (("s",), 1), (("lobby-*", "s*"), 1), (("lobby-*",), 0)])
def test_only_streams_that_were_asked_for_are_converted(
    conversions: Conversions, streams: tuple[str, ...], n_wanted: int
) -> None:
    """By patterns of their names."""
    some = Conversions(conversions.runners, streams=streams)
    assert len(some.of(set_task(held("audio", 3)), lambda: "s9")) == n_wanted


def test_a_set_that_failed_is_not_converted(conversions: Conversions) -> None:
    """Its members are dead letters, and may come again."""
    task = set_task(held("audio", 3))
    task.failed = "model_failed"
    assert wanted_of(conversions, task) == []


@pytest.mark.parametrize(
    ("reason", "kinds"),
    [("late", ["transcript"]), ("unmatched", ["transcript"]), ("unexpected", ["transcript"]), ("duplicate", [])],
)
@pytest.mark.parametrize("in_a_run", [False, True])
def test_events_in_no_set_are_converted_but_for_duplicates(
    conversions: Conversions, reason: Any, kinds: list[str], in_a_run: bool
) -> None:
    """Nothing was wrong with them; a duplicate's first copy has its own conversion."""
    one = held("audio", 3)
    assert one.item is not None
    decision = RunDecision("media.audio", 3, 3, "unfused", reason) if in_a_run else UnfusedDecision(one.item, reason, 0)
    wanted = conversions.of(one_task(decision, one), lambda: "")
    assert [found.runner.kind for found in wanted] == kinds
    assert {found.set_id for found in wanted} <= {""}


def test_dead_letters_are_not_converted(conversions: Conversions) -> None:
    """Neither by a decision of their own nor in a run."""
    for decision in (
        DeadLetterDecision("media.audio", 3, "clock"),
        RunDecision("media.audio", 3, 3, "deadletter", "no_key"),
    ):
        assert wanted_of(conversions, one_task(decision, held("audio", 3))) == []


async def test_a_transcript_says_of_what_it_is_and_which_set_that_is_in(conversions: Conversions) -> None:
    """Where the record is, when it was, who converted it; its id is that of the event, not of the set."""
    record = await _made(conversions, held("audio", 3, language="de", duration_ms=40))
    text = decode_converted(record.value)
    assert (record.topic, record.key) == (CONVERTED_TEXT, b"s")
    assert dict(record.headers)["ce_setid"] == b"s9"
    assert dict(record.headers)["ce_type"] == b"syncline.converted.text.v1"
    assert (text.kind, text.text, text.score, text.language) == ("transcript", "5 bytes", 0.5, "de")
    assert text.words == (("5", 0, 100, 0.5),)
    assert (text.topic, text.partition, text.offset, text.lane) == ("media.audio", PARTITION, 3, "audio")
    assert (text.time_ms, text.duration_ms, text.set_id, text.reason) == (START_MS, 40, "s9", "")
    assert text.model == ModelInfo("spelling", "1")
    assert text.id == conversion_id("s", "audio", START_MS, "urn:x", "3", "transcript")
    assert conversions.made == {("transcript", "made"): 1}


async def test_an_event_in_no_set_that_is_sent_again_has_another_conversion(conversions: Conversions) -> None:
    """What came too late may be the copy of what was converted as a member: one id would name two records."""
    texts = [
        decode_converted((await _made(conversions, held("audio", offset, id="3"), set_id)).value)
        for offset, set_id in ((3, "s9"), (4, ""), (5, ""))
    ]
    event = ("s", "audio", START_MS, "urn:x", "3", "transcript")
    alone = [conversion_id(*event, ("media.audio", PARTITION, offset)) for offset in (4, 5)]
    assert [text.id for text in texts] == [conversion_id(*event), *alone]


async def test_speech_is_a_file_on_its_own_topic(conversions: Conversions) -> None:
    """With its type, rate and length, ready to be played."""
    record = await _made(conversions, held("text", 2))
    sound = decode_converted_audio(record.value)
    assert record.topic == CONVERTED_AUDIO
    assert dict(record.headers)["ce_type"] == b"syncline.converted.audio.v1"
    assert (sound.kind, sound.content_type, sound.sample_rate_hz, sound.sound_ms) == (
        "speech",
        "audio/flac",
        16_000,
        100,
    )
    assert sound.data[:4] == b"fLaC"
    assert sound.language == "en"


async def test_what_cannot_be_converted_is_published_with_the_reason(conversions: Conversions) -> None:
    """A record that waits for its transcript would otherwise wait for ever, and nobody would know why."""
    broken = held("audio", 3)
    assert broken.record is not None
    broken.record.payload.raw.value = b"x" * Spelling.REFUSED
    text = decode_converted((await _made(conversions, broken)).value)
    assert (text.text, text.score, text.reason, text.detail) == ("", 0.0, "audio_header", "not a clip")
    assert conversions.made == {("transcript", "refused"): 1}


async def _made(conversions: Conversions, one: InFlightRecord, set_id: str = "s9") -> Any:
    (wanted,) = conversions.of(set_task(one), lambda: set_id)
    return await conversions.make(wanted, PARTITION)


def _items(*lanes: str) -> Any:
    found = [held(lane, number).item for number, lane in enumerate(lanes, 1)]
    return tuple(item for item in found if item is not None)
