"""A reader of version 1 that knows nothing of today's code: plain MessagePack, positions and names. Never changed."""

from __future__ import annotations

from typing import Any

import msgpack

ITEM = ("stream", "lane", "topic", "offset", "time_ms", "end_ms", "id_hash", "append_ms")
LANE = ("stream", "lane", "topic", "max_time_ms", "append_ms", "recent")
CLAIM = ("worker", "generation", "era", "number")
DECISIONS = {
    "set": ("stream", "strategy", "outcome", "reason", "start_ms", "members", "missing", "bound_ms", "open_members"),
    "unfused": ("item", "reason", "late_by_ms", "bound_ms"),
    "closed": ("item",),
    "deadletter": ("topic", "offset", "reason", "item"),
    "run": ("topic", "first_offset", "last_offset", "outcome", "reason"),
    "failed": ("members", "reason", "lost"),
}
SNAPSHOT = (
    "claim", "number", "part", "n_parts", "at", "replay_from", "replay_claim_offset", "replay_claim", "clocks",
    "bounds",
)  # fmt: skip


def read_entry(data: bytes) -> dict[str, Any]:
    """An entry of the log as version 1.0 reads it: by position, whatever stands behind what it knows."""
    kind, *values = msgpack.unpackb(data)
    if kind == "claim":
        return _named(CLAIM, values)
    if kind == "batch":
        return {"claim": values[0], "number": values[1], "decisions": [_decision(one) for one in values[2]]}
    found = _named(SNAPSHOT, values)
    found["clocks"] = [_named(LANE, lane) for lane in found["clocks"]]
    if found["replay_claim"] is not None:
        found["replay_claim"] = _named(CLAIM, found["replay_claim"][1:])
    return found


def _decision(values: list[Any]) -> dict[str, Any]:
    found = _named(DECISIONS[values[0]], values[1:])
    if found.get("item") is not None:
        found["item"] = _named(ITEM, found["item"])
    if values[0] == "set":
        found["members"] = [_named(ITEM, item) for item in found["members"]]
    return {"kind": values[0], **found}


def _named(names: tuple[str, ...], values: list[Any]) -> dict[str, Any]:
    return dict(zip(names, values, strict=False))


_IMAGE = {
    "stream": "lobby", "lane": "image", "topic": "media.image", "offset": 7, "time_ms": 1772366400250,
    "end_ms": 1772366400290, "id_hash": 11, "append_ms": 1772366400300,
}  # fmt: skip
_TEXT = {
    "stream": "lobby", "lane": "text", "topic": "media.text", "offset": 3, "time_ms": 1772366400260,
    "end_ms": 1772366400260, "id_hash": 12, "append_ms": 1772366400301,
}  # fmt: skip
_CLAIM = {"worker": "w/1/0", "generation": 3, "era": 1, "number": 0}

LOG: dict[str, dict[str, Any]] = {
    "log claim": _CLAIM,
    "log batch": {
        "claim": 0,
        "number": 1,
        "decisions": [
            {
                "kind": "set", "stream": "lobby", "strategy": "nearest", "outcome": "partial", "reason": "timeout",
                "start_ms": 1772366400250, "members": [_IMAGE, _TEXT], "missing": ["audio"], "bound_ms": 99,
                "open_members": [1],
            },
            {"kind": "unfused", "item": _TEXT, "reason": "late", "late_by_ms": 100, "bound_ms": 0},
            {"kind": "closed", "item": _TEXT},
            {"kind": "deadletter", "topic": "media.image", "offset": 8, "reason": "image_truncated", "item": _IMAGE},
            {"kind": "deadletter", "topic": "media.image", "offset": 9, "reason": "no_key", "item": None},
            {
                "kind": "run", "topic": "media.text", "first_offset": 4, "last_offset": 6, "outcome": "unfused",
                "reason": "unexpected",
            },
            {
                "kind": "failed", "members": [["media.image", 7], ["media.text", 3]], "reason": "lost",
                "lost": [["media.text", 3]],
            },
        ],
    },
    "log snapshot of clocks": {
        "claim": 0, "number": 2, "part": 0, "n_parts": 2, "at": {"media.image": 7, "media.text": 3}, "replay_from": 1,
        "replay_claim_offset": 0, "replay_claim": _CLAIM, "bounds": {},
        "clocks": [{
            "stream": "lobby", "lane": "image", "topic": "media.image", "max_time_ms": 1772366400250,
            "append_ms": 1772366400300, "recent": [[11, 1772366400250]],
        }],
    },
    "log snapshot of the rest": {
        "claim": 0, "number": 3, "part": 1, "n_parts": 2, "at": {"media.image": 7, "media.text": 3}, "replay_from": 1,
        "replay_claim_offset": -1, "replay_claim": None, "clocks": [], "bounds": {"lobby": 99},
    },
}  # fmt: skip
"""What version 1.0 reads of the samples of the log, whichever version 1.x wrote them."""

RESULTS: dict[str, dict[str, Any]] = {
    "fused partial": {
        "id": "f1", "stream": "lobby", "start_ms": 1772366400250, "end_ms": 1772366400290, "outcome": "partial",
        "reason": "timeout", "missing": ["audio"], "labels": [["cat", 0.75], ["dog", 0.25]],
        "embedding": {"dtype": "<f4", "shape": [2], "data": b"\x00\x00\x00?\x00\x00\x80\xbf"},
        "model": {"name": "reference", "version": "1"}, "timings_ms": {"since_append": 12.5},
        "members": [
            {
                "modality": "image", "lane": "image", "source": "urn:camera:7", "event_id": "frame-1",
                "topic": "media.image", "partition": 1, "offset": 7, "time_ms": 1772366400250, "duration_ms": 40,
                "words": [],
            },
            {
                "modality": "text", "lane": "text", "source": "urn:chat", "event_id": "line-1", "topic": "media.text",
                "partition": 1, "offset": 3, "time_ms": 1772366400260, "duration_ms": 0, "words": [["hello", "UH"]],
            },
        ],
    },
    "fused complete": {
        "id": "f2", "stream": "大厅", "start_ms": 1, "end_ms": 2, "outcome": "complete", "reason": "watermark",
        "missing": [], "members": [], "labels": [], "embedding": None, "model": None, "timings_ms": {},
    },
    "caption": {
        "id": "c-caption", "stream": "lobby", "lane": "image", "modality": "image", "source": "urn:x", "event_id": "e",
        "topic": "media.image", "partition": 1, "offset": 7, "time_ms": 1000, "kind": "caption", "text": "a cat",
        "score": 0.5, "duration_ms": 0, "language": "", "model": {"name": "reference", "version": "1"},
    },
    "transcript": {
        "id": "c-transcript", "stream": "lobby", "lane": "audio", "modality": "audio", "source": "urn:x",
        "event_id": "e", "topic": "media.audio", "partition": 1, "offset": 7, "time_ms": 1000, "kind": "transcript",
        "text": "a cat", "score": 0.5, "duration_ms": 0, "language": "", "model": {"name": "reference", "version": "1"},
    },
    "transcript with words": {
        "id": "c-words", "stream": "lobby", "lane": "audio", "modality": "audio", "source": "urn:x", "event_id": "e",
        "topic": "media.audio", "partition": 1, "offset": 7, "time_ms": 1000, "kind": "transcript", "text": "a cat",
        "score": 0.5, "duration_ms": 0, "language": "en", "model": None, "set_id": "f1", "reason": "", "detail": "",
        "words": [["a", 0, 100, 0.5], ["cat", 100, 400, 0.75]],
    },
    "transcript refused": {
        "id": "c-refused", "stream": "lobby", "lane": "audio", "modality": "audio", "source": "urn:x",
        "event_id": "e", "topic": "media.audio", "partition": 1, "offset": 7, "time_ms": 1000, "kind": "transcript",
        "text": "", "score": 0.0, "duration_ms": 0, "language": "", "model": None, "set_id": "",
        "reason": "audio_header", "detail": "not a clip", "words": [],
    },
    "speech": {
        "id": "c-speech", "stream": "lobby", "lane": "text", "modality": "text", "source": "urn:chat", "event_id": "e",
        "topic": "media.text", "partition": 1, "offset": 7, "time_ms": 1000, "duration_ms": 0, "language": "en",
        "model": {"name": "flite", "version": "slt"}, "set_id": "f1", "reason": "", "detail": "", "kind": "speech",
        "content_type": "audio/flac", "sample_rate_hz": 16000, "sound_ms": 500, "data": b"fLaC",
    },
    "unfused late": {
        "id": "media.text/1/9", "stream": "lobby", "lane": "text", "modality": "text", "source": "urn:chat",
        "event_id": "line-9", "topic": "media.text", "partition": 1, "offset": 9, "time_ms": 900, "reason": "late",
        "late_by_ms": 100, "duration_ms": 0,
    },
}  # fmt: skip
"""What version 1 reads of the results."""

SINCE = {"transcript with words": "1.2", "transcript refused": "1.2", "speech": "1.2"}
"""Records that older versions did not write."""

TYPES = {
    "media image": b"syncline.media.image.v1",
    "media text": b"syncline.media.text.v1",
    "media audio": b"syncline.media.audio.v1",
    "fused partial": b"syncline.results.fused.v1",
    "fused complete": b"syncline.results.fused.v1",
    "caption": b"syncline.converted.text.v1",
    "transcript": b"syncline.converted.text.v1",
    "transcript with words": b"syncline.converted.text.v1",
    "transcript refused": b"syncline.converted.text.v1",
    "speech": b"syncline.converted.audio.v1",
    "unfused late": b"syncline.unfused.v1",
    "dead letter null": b"syncline.deadletter.v1",
    "dead letter of a set": b"syncline.deadletter.v1",
}
"""`ce_type` of every record that is part of the contract."""
