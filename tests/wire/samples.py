"""One record of each kind, as today's code writes it."""

from __future__ import annotations

import numpy as np

from streams.decisions.entries import (
    Batch,
    Claim,
    Entry,
    FormerPlacement,
    ResolvedRun,
    SnapshotPart,
    encode_entry,
    version_headers,
)
from streams.join.items import (
    ClosedDecision,
    DeadLetterDecision,
    FailedDecision,
    Item,
    RunDecision,
    SetDecision,
    UnfusedDecision,
)
from streams.join.lane_clock import LaneState
from syncline.wire.arrays import from_numpy
from syncline.wire.contract import DECISIONS, media_topic
from syncline.wire.converted import ConvertedAudio, ConvertedText, encode_converted
from syncline.wire.deadletters import encode_dead_letter, encode_unfused
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.results import FusedResult, ModelInfo, OutgoingRecord, ResultMember, Unfused, encode_fused

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
IMAGE = Item("lobby", "image", "media.image", 7, 1_772_366_400_250, 1_772_366_400_290, 11, 1_772_366_400_300)
TEXT = Item("lobby", "text", "media.text", 3, 1_772_366_400_260, 1_772_366_400_260, 12, 1_772_366_400_301)
CLAIM = Claim("w/1/0", 3, 1, 0, "syncline", "former", "0123456789abcdef", 4, (FormerPlacement(2, {"media.image": 5}),))


def samples() -> dict[str, OutgoingRecord]:
    """By name."""
    return {**media(), **results(), **outside_a_set(), **log()}


def media() -> dict[str, OutgoingRecord]:
    """A media event of each modality; the image has every header."""
    image = MediaEvent(
        "lobby",
        "image",
        "urn:camera:7",
        "frame-1",
        1_772_366_400_250,
        "image/jpeg",
        "left",
        40,
        "en",
        TRACEPARENT,
        "a=b",
    )
    text = MediaEvent("lobby", "text", "urn:chat", "line-1", 1_772_366_400_260, "text/plain; charset=utf-8")
    audio = MediaEvent("大厅", "audio", "urn:mic", "chunk-1", 1_772_366_400_000, "audio/wav", duration_ms=500)
    events = {image: b"\xff\xd8\xff", text: "hello, 世界".encode(), audio: b"RIFF"}
    return {
        f"media {event.modality}": OutgoingRecord(
            media_topic(event.modality), event.stream.encode(), value, build_headers(event)
        )
        for event, value in events.items()
    }


def results() -> dict[str, OutgoingRecord]:
    """A complete and a partial result, and a conversion of each kind."""
    members = (
        ResultMember("image", "image", "urn:camera:7", "frame-1", "media.image", 1, 7, 1_772_366_400_250, 40),
        ResultMember(
            "text", "text", "urn:chat", "line-1", "media.text", 1, 3, 1_772_366_400_260, 0, (("hello", "UH"),)
        ),
    )
    partial = FusedResult(
        id="f1", stream="lobby", start_ms=1_772_366_400_250, end_ms=1_772_366_400_290, outcome="partial",
        reason="timeout", missing=("audio",), members=members, labels=(("cat", 0.75), ("dog", 0.25)),
        embedding=from_numpy(np.array([0.5, -1.0], np.float32)), model=ModelInfo("reference", "1"),
        timings_ms={"since_append": 12.5},
    )  # fmt: skip
    complete = FusedResult(
        id="f2", stream="大厅", start_ms=1, end_ms=2, outcome="complete", reason="watermark", missing=(), members=()
    )
    speech = ConvertedAudio(
        id="c-speech", stream="lobby", lane="text", modality="text", source="urn:chat", event_id="e",
        topic="media.text", partition=1, offset=7, time_ms=1_000, language="en", model=ModelInfo("flite", "slt"),
        set_id="f1", kind="speech", content_type="audio/flac", sample_rate_hz=16_000, sound_ms=500, data=b"fLaC",
    )  # fmt: skip
    refused = ConvertedText(
        id="c-refused", stream="lobby", lane="audio", modality="audio", source="urn:x", event_id="e",
        topic="media.audio", partition=1, offset=7, time_ms=1_000, kind="transcript", text="", score=0.0,
        reason="audio_header", detail="not a clip",
    )  # fmt: skip
    words = ConvertedText(
        id="c-words", stream="lobby", lane="audio", modality="audio", source="urn:x", event_id="e",
        topic="media.audio", partition=1, offset=7, time_ms=1_000, kind="transcript", text="a cat", score=0.5,
        language="en", words=(("a", 0, 100, 0.5), ("cat", 100, 400, 0.75)), set_id="f1",
    )  # fmt: skip
    caption, transcript = (
        ConvertedText(
            id=f"c-{kind}", stream="lobby", lane=lane, modality=lane, source="urn:x", event_id="e",
            topic=f"media.{lane}", partition=1, offset=7, time_ms=1_000, kind=kind, text="a cat",
            score=0.5, model=ModelInfo("reference", "1"),
        )
        for kind, lane in (("caption", "image"), ("transcript", "audio"))
    )  # fmt: skip
    return {
        "fused partial": encode_fused(partial, TRACEPARENT),
        "fused complete": encode_fused(complete),
        "caption": encode_converted(caption),
        "transcript": encode_converted(transcript),
        "transcript with words": encode_converted(words),
        "transcript refused": encode_converted(refused),
        "speech": encode_converted(speech),
    }


def outside_a_set() -> dict[str, OutgoingRecord]:
    """Unfused: late. Dead letters: of a null value, and of a member of a set that failed."""
    late = Unfused(
        id="media.text/1/9", stream="lobby", lane="text", modality="text", source="urn:chat", event_id="line-9",
        topic="media.text", partition=1, offset=9, time_ms=900, reason="late", late_by_ms=100,
    )  # fmt: skip
    null = encode_dead_letter(
        reason="null_value", detail="the value is null", topic="media.image", partition=1, offset=4, key=b"lobby",
        value=None, headers=[("ce_id", b"frame-4"), ("x", b"\xff")], timestamp_ms=1_772_366_400_000,
    )  # fmt: skip
    failed = encode_dead_letter(
        reason="model_failed", detail="its set f9 failed", topic="media.text", partition=0, offset=5, key=b"lobby",
        value=b"hello", headers=None, timestamp_ms=1_772_366_400_000, set_id="f9",
    )  # fmt: skip
    return {
        "unfused late": encode_unfused(late, [("ce_id", b"line-9")]),
        "dead letter null": null,
        "dead letter of a set": failed,
    }


def log() -> dict[str, OutgoingRecord]:
    """What `entries` gives, as records of the log."""
    return {
        f"log {name}": OutgoingRecord(DECISIONS, None, encode_entry(entry), version_headers())
        for name, entry in entries().items()
    }


def entries() -> dict[str, Entry]:
    """Each kind of entry, a batch with each kind of decision, and both parts of a snapshot."""
    return {
        "claim": CLAIM,
        "batch": Batch(0, 1, [
            SetDecision(
                "lobby", "nearest", "partial", "timeout", IMAGE.time_ms, (IMAGE, TEXT), ("audio",), 99, (1,),
                1_772_366_401_000,
            ),
            UnfusedDecision(TEXT, "late", 100, 0),
            ClosedDecision(TEXT),
            DeadLetterDecision("media.image", 8, "image_truncated", IMAGE),
            DeadLetterDecision("media.image", 9, "no_key"),
            RunDecision("media.text", 4, 6, "unfused", "unexpected"),
            FailedDecision((("media.image", 7), ("media.text", 3)), "lost", (("media.text", 3),)),
        ]),
        "snapshot of clocks": SnapshotPart(
            0, 2, 0, 2, {"media.image": 7, "media.text": 3}, 1, 0, CLAIM,
            [LaneState("lobby", "image", "media.image", IMAGE.time_ms, IMAGE.append_ms, ((11, IMAGE.time_ms),))], {},
        ),
        "snapshot of the rest": SnapshotPart(
            0, 3, 1, 2, {"media.image": 7, "media.text": 3}, 1, -1, None, [], {"lobby": 99},
            [ResolvedRun("media.image", 9, 12)],
        ),
    }  # fmt: skip
