"""syncline/wire/shrinking.py: what is left out of a result that is too large, in which order, and that it says so."""

from __future__ import annotations

import numpy as np
import pytest

from syncline.wire.arrays import from_numpy
from syncline.wire.contract import DECISIONS, FUSED
from syncline.wire.converted import (
    ConvertedAudio,
    ConvertedText,
    decode_converted,
    decode_converted_audio,
    encode_converted,
)
from syncline.wire.deadletters import decode_dead_letter, encode_dead_letter, encode_unfused
from syncline.wire.results import (
    FusedResult,
    OutgoingRecord,
    ResultMember,
    Unfused,
    decode_fused,
    decode_unfused,
    encode_fused,
)
from syncline.wire.shrinking import shrink

WORDS = (("门", "n"), ("开", "v"))
HEADERS = [("ce_id", b"7"), ("large", bytes(300))]


def fused(words: bool, embedding: bool) -> OutgoingRecord:
    members = tuple(
        ResultMember(modality, modality, "urn:x", "1", f"media.{modality}", 0, 5, 1_000, words=WORDS if words else ())
        for modality in ("text", "image")
    )
    array = from_numpy(np.ones(4, np.float32)) if embedding else None
    result = FusedResult(
        id="f", stream="s", start_ms=1_000, end_ms=1_000, outcome="complete", reason="complete", missing=(),
        members=members, labels=(("cat", 0.5),), embedding=array,
    )  # fmt: skip
    return encode_fused(result, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def steps(record: OutgoingRecord) -> list[OutgoingRecord]:
    """The record, and all that becomes of it."""
    found: list[OutgoingRecord] = []
    smaller: OutgoingRecord | None = record
    while smaller is not None:
        found.append(smaller)
        smaller = shrink(smaller)
    return found


@pytest.mark.parametrize(
    ("words", "embedding", "cuts"),
    [
        (True, True, [(), ("words",), ("words", "embedding")]),
        (True, False, [(), ("words",)]),
        (False, True, [(), ("embedding",)]),
        (False, False, [()]),
    ],
)
def test_a_fused_result_loses_words_then_its_embedding(
    words: bool, embedding: bool, cuts: list[tuple[str, ...]]
) -> None:
    """All else stays: headers and key, id, members, labels."""
    first = fused(words, embedding)
    found = [decode_fused(one.value) for one in steps(first)]
    assert [one.cut for one in found] == cuts
    assert [any(member.words for member in one.members) for one in found] == [words and "words" not in c for c in cuts]
    assert [one.embedding is not None for one in found] == [embedding and "embedding" not in c for c in cuts]
    assert {(one.id, one.labels, len(one.members)) for one in found} == {("f", (("cat", 0.5),), 2)}
    assert all((one.topic, one.key, one.headers) == (first.topic, first.key, first.headers) for one in steps(first))


def about(**more: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "id": "c", "stream": "s", "lane": "audio", "modality": "audio", "source": "urn:x", "event_id": "1",
        "topic": "media.audio", "partition": 0, "offset": 5, "time_ms": 1_000, "set_id": "f",
    }  # fmt: skip
    return fields | more


def test_a_conversion_loses_what_was_made_and_says_why() -> None:
    """As one that was too large from the start, for topics whose limit is lower than ours."""
    text = ConvertedText(kind="transcript", text="hello", score=0.5, words=(("hello", 0, 9, 0.5),), **about())  # pyright: ignore[reportArgumentType]
    first, second = (decode_converted(one.value) for one in steps(encode_converted(text)))
    assert first.text == "hello"
    assert (second.text, second.words, second.reason) == ("", (), "conversion_too_large")
    sound = ConvertedAudio(
        kind="speech", content_type="audio/flac", sample_rate_hz=8_000, sound_ms=9, data=b"x", **about()
    )  # pyright: ignore[reportArgumentType]
    first, second = (decode_converted_audio(one.value) for one in steps(encode_converted(sound)))
    assert first.data == b"x"
    assert (second.data, second.sound_ms, second.reason) == (b"", 0, "conversion_too_large")
    assert second.set_id == "f"


def test_a_dead_letter_loses_value_key_and_headers() -> None:
    """Each is said; where the original is, stays."""
    letter = encode_dead_letter(
        reason="late", detail="d", topic="media.text", partition=0, offset=5, key=b"k", value=b"v", headers=HEADERS,
        timestamp_ms=1_000,
    )  # fmt: skip
    found = [decode_dead_letter(one.key, one.value, one.headers) for one in steps(letter)]
    assert [one.cut for one in found] == [(), ("value",), ("key", "value"), ("headers", "key", "value")]
    assert [bool(one.headers) for one in found] == [True, True, True, False]
    assert {(one.reason, one.topic, one.offset) for one in found} == {("late", "media.text", 5)}


def test_an_unfused_event_loses_the_originals_headers() -> None:
    """Its value has nothing that could be left out."""
    unfused = Unfused(
        id="u", stream="s", lane="text", modality="text", source="urn:x", event_id="1", topic="media.text", partition=0,
        offset=5, time_ms=1_000, reason="late",
    )  # fmt: skip
    first, second = steps(encode_unfused(unfused, HEADERS))
    assert decode_unfused(second.value) == decode_unfused(first.value)
    assert dict(second.headers)["ce_origincut"] == b"headers"
    assert not any(name.startswith("orig.") for name, _ in second.headers)


@pytest.mark.parametrize("topic", [DECISIONS, FUSED])
def test_what_is_none_of_ours_stays_whole(topic: str) -> None:
    """Nobody would know what is left of it."""
    assert shrink(OutgoingRecord(topic, b"k", b"x", [])) is None
