"""Random values that the wire contract takes, and examples of each kind of record."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import strategies as st

from syncline.wire.arrays import from_numpy
from syncline.wire.contract import CONTENT_TYPES, MAX_DURATION_MS, MAX_RETRIES, MODALITIES
from syncline.wire.converted import ConvertedAudio, ConvertedText
from syncline.wire.events import MediaEvent
from syncline.wire.results import FusedResult, ModelInfo, ResultMember, Unfused
from syncline.wire.timestamps import MAX_TIME_MS

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=256).filter(lambda text: not _CONTROL.search(text))
times_ms = st.integers(0, MAX_TIME_MS)
lanes = st.one_of(
    st.just(""), st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True).filter(lambda x: x not in MODALITIES)
)


@st.composite
def media_events(draw: st.DrawFn) -> MediaEvent:
    """Any event that the contract takes."""
    modality = draw(st.sampled_from(MODALITIES))
    return MediaEvent(
        stream=draw(names),
        modality=modality,
        source=draw(names),
        id=draw(names),
        time_ms=draw(times_ms),
        content_type=draw(st.sampled_from(CONTENT_TYPES[modality])),
        lane=draw(lanes),
        duration_ms=draw(st.integers(0, MAX_DURATION_MS)),
        language=draw(st.sampled_from(["", "en", "zh-Hans", "de-CH-1996"])),
        traceparent=draw(st.sampled_from(["", TRACEPARENT])),
        retries=draw(st.integers(0, MAX_RETRIES)),
    )


def example_event(**changes: object) -> MediaEvent:
    """An event of every header; `changes` replace fields."""
    fields: dict[str, object] = {
        "stream": "lobby", "modality": "image", "source": "urn:camera:7", "id": "frame-1", "time_ms": 1_772_366_400_250,
        "content_type": "image/jpeg", "lane": "left", "duration_ms": 40, "language": "en", "traceparent": TRACEPARENT,
    }  # fmt: skip
    return MediaEvent(**(fields | changes))  # type: ignore[arg-type]


def example_fused(id: str = "f1", **changes: object) -> FusedResult:  # noqa: A002
    """A partial set of two members with labels and an embedding."""
    members = tuple(
        ResultMember(
            modality=modality, lane=modality, source=f"urn:{modality}", event_id="e1", topic=f"media.{modality}",
            partition=1, offset=7, time_ms=1_000, words=(("hello", ""),) if modality == "text" else (),
        )
        for modality in ("image", "text")
    )  # fmt: skip
    fields: dict[str, object] = {
        "id": id, "stream": "lobby", "start_ms": 1_000, "end_ms": 1_040, "outcome": "partial", "reason": "timeout",
        "missing": ("audio",), "members": members, "labels": (("cat", 0.75), ("dog", 0.25)),
        "embedding": from_numpy(np.arange(4, dtype=np.float32)), "model": ModelInfo("reference", "1"),
        "timings_ms": {"fuse": 1.5},
    }  # fmt: skip
    return FusedResult(**(fields | changes))  # type: ignore[arg-type]


def example_converted() -> ConvertedText:
    """What a picture shows."""
    return ConvertedText(
        id="c1", stream="lobby", lane="image", modality="image", source="urn:image", event_id="e1", topic="media.image",
        partition=1, offset=7, time_ms=1_000, kind="caption", text="a cat", score=0.5,
        model=ModelInfo("reference", "1"),
    )  # fmt: skip


def example_speech(**changes: object) -> ConvertedAudio:
    """What a text sounds like."""
    fields: dict[str, object] = {
        "id": "c2", "stream": "lobby", "lane": "text", "modality": "text", "source": "urn:text", "event_id": "e2",
        "topic": "media.text", "partition": 1, "offset": 8, "time_ms": 1_000, "kind": "speech", "set_id": "f1",
        "content_type": "audio/flac", "sample_rate_hz": 16_000, "sound_ms": 750, "data": b"fLaC",
    }  # fmt: skip
    return ConvertedAudio(**(fields | changes))  # type: ignore[arg-type]


def example_unfused() -> Unfused:
    """A late event."""
    return Unfused(
        id="media.text/1/9", stream="lobby", lane="text", modality="text", source="urn:text", event_id="e2",
        topic="media.text", partition=1, offset=9, time_ms=900, reason="late", late_by_ms=100,
    )  # fmt: skip
