"""A result as one line: for people, or as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from syncline.consumer import Received
from syncline.wire.converted import ConvertedAudio, ConvertedText
from syncline.wire.deadletters import DeadLetter
from syncline.wire.results import FusedResult, Unfused
from syncline.wire.timestamps import format_time

MAX_LABELS = 3
MAX_TEXT = 160


def json_line(received: Received) -> str:
    """Return a JSON object: topic, partition, offset, append_ms and the result; bytes as base64."""
    found: dict[str, Any] = received._asdict()
    return msgspec.json.encode(found).decode()


def human_line(received: Received) -> str:
    """Return time, stream, what happened and what was found, without control characters."""
    result = received.result
    if isinstance(result, FusedResult):
        line = _fused(result)
    elif isinstance(result, ConvertedText | ConvertedAudio):
        line = _converted(result)
    elif isinstance(result, Unfused):
        line = _unfused(result)
    else:
        line = _dead_letter(result)
    return printable(line)


def printable(line: str) -> str:
    """Remove control characters, which could harm a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def _fused(result: FusedResult) -> str:
    lanes = "+".join(dict.fromkeys(member.lane for member in result.members))
    missing = "".join(f" -{lane}" for lane in result.missing)
    reason = "" if result.reason == "complete" else f" ({result.reason})"
    labels = ", ".join(f"{label} {score:.2f}" for label, score in result.labels[:MAX_LABELS])
    return f"{clock(result.start_ms)}  {result.stream}  {result.outcome}{reason}  {lanes}{missing}  {labels}".rstrip()


def _converted(result: ConvertedText | ConvertedAudio) -> str:
    if result.reason:
        said = f"none: {result.reason}  {_short(result.detail)}"
    elif isinstance(result, ConvertedText):
        said = f"{result.score:.2f}  {result.text}"
    else:
        said = f"{result.sound_ms} ms  {result.content_type}, {len(result.data)} bytes"
    return f"{clock(result.time_ms)}  {result.stream}  {result.lane} {result.kind}  {said}"


def _unfused(result: Unfused) -> str:
    by = f" by {result.late_by_ms} ms" if result.late_by_ms else ""
    return f"{clock(result.time_ms)}  {result.stream}  {result.reason}{by}  {result.lane}  {result.id}"


def _dead_letter(result: DeadLetter) -> str:
    return f"{result.topic}/{result.partition}/{result.offset}  {result.reason}  {_short(result.detail)}"


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def clock(time_ms: int) -> str:
    """`12:00:00.250`, UTC."""
    return format_time(time_ms)[11:23]
