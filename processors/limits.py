"""The dead-letter reasons of broken media, and the checks that all modalities share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

from syncline.errors import MediaError

Reason = Literal[
    "empty",
    "too_many_bytes",
    "content_type_unknown",
    "content_type_mismatch",
    "image_header",
    "image_too_many_pixels",
    "image_too_many_parts",
    "image_undecodable",
    "audio_header",
    "audio_codec_unknown",
    "audio_sample_rate",
    "audio_too_many_channels",
    "audio_too_many_seconds",
    "audio_too_many_samples",
    "audio_no_samples",
    "audio_not_finite",
    "audio_out_of_range",
    "audio_undecodable",
    "text_charset_unknown",
    "text_not_utf8",
    "text_control_character",
    "text_too_many_characters",
    "text_too_many_marks",
    "text_no_words",
]
"""The `reason` of a dead letter."""
IN_WORDS: dict[Reason, str] = {
    "empty": "the file has no bytes",
    "too_many_bytes": "the file has more bytes than `max_bytes`",
    "content_type_unknown": "the modality does not take the declared content type",
    "content_type_mismatch": "the bytes do not begin as the declared content type does",
    "image_header": "the picture's header is cut short, contradicts itself or gives a size of 0",
    "image_too_many_pixels": "width x height is above `max_pixels` (decompression bombs end here, before decoding)",
    "image_too_many_parts": "it has far more segments, chunks or scans than normal pictures",
    "image_undecodable": "the decoder fails, or warns",
    "audio_header": "the header is cut short, contradicts itself or claims more than is there",
    "audio_codec_unknown": "its codec or sample format is not on the allow-list",
    "audio_sample_rate": "the sample rate is below `min_rate_hz` or above `max_rate_hz`",
    "audio_too_many_channels": "it has 0 channels, or more than `max_channels`",
    "audio_too_many_seconds": "the sound is longer than `max_seconds`",
    "audio_too_many_samples": "frames x channels is above `max_samples`",
    "audio_no_samples": "it has no samples",
    "audio_not_finite": "a sample is NaN or infinite",
    "audio_out_of_range": "a sample is far beyond full scale",
    "audio_undecodable": "the decoder fails, or gives fewer frames than the header claims",
    "text_charset_unknown": "the charset is not UTF-8",
    "text_not_utf8": "the bytes are not strict UTF-8",
    "text_control_character": "it has a control character other than tab, line feed and carriage return",
    "text_too_many_characters": "it has more characters than `max_characters`",
    "text_too_many_marks": "it has more than 30 combining marks in a row",
    "text_no_words": "it has nothing but white space",
}
"""Each reason in words."""
REASONS: frozenset[str] = frozenset(get_args(Reason))


def refuse(reason: Reason, detail: str) -> MediaError:
    """Make the error for a reason; `detail` says what was found and what is taken."""
    return MediaError(reason, detail)


def check_size(data: bytes, max_bytes: int) -> None:
    """Raise `empty` or `too_many_bytes` unless there are 1 to `max_bytes` bytes."""
    if not data:
        raise refuse("empty", "got 0 bytes, takes at least 1")
    if len(data) > max_bytes:
        raise refuse("too_many_bytes", f"got {len(data)} bytes, takes at most {max_bytes}")


def media_type(content_type: str, takes: Collection[str]) -> tuple[str, dict[str, str]]:
    """Split a content type into type and parameters, in lower case. Raises `content_type_unknown` unless in `takes`."""
    essence, *rest = content_type.split(";")
    essence = essence.strip().lower()
    if essence not in takes:
        raise refuse("content_type_unknown", f"got {content_type[:100]!r}, takes {', '.join(sorted(takes))}")
    pairs = (part.partition("=") for part in rest)
    return essence, {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}
