"""What the service makes of single events: text (transcripts, captions) and sound (speech), with their records.

Values are MessagePack maps under CloudEvents headers, as all results; ids are those of
`syncline.wire.ids.conversion_id`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from syncline.errors import ContractError
from syncline.wire import contract as c
from syncline.wire.results import EventOrigin, ModelInfo, OutgoingRecord, decode_value, encode_map, result_headers

TextKind = Literal["caption", "transcript"]
AudioKind = Literal["speech"]
Kind = Literal[TextKind, AudioKind]
MODALITY_OF = {"caption": "image", "transcript": "audio", "speech": "text"}
"""Kind of conversion -> the modality of the events that it is of."""
Word = tuple[str, int, int, float]
"""A word, from when to when it is said (ms from the start of the event), and its score in [0, 1]."""


class Converted(EventOrigin, frozen=True, kw_only=True):
    """What became of the event, and which model made it.

    `set_id`: the fused result that the event is in, "" where it is in none. `reason`: why there is no conversion, ""
    where there is one; `detail` says more. `language`: BCP 47 of what is said, "" where it is not known.
    """

    duration_ms: int = 0
    language: str = ""
    model: ModelInfo | None = None
    set_id: str = ""
    reason: str = ""
    detail: str = ""


class ConvertedText(Converted, frozen=True, kw_only=True):
    """What one event says, as text: a picture's caption, speech's transcript; `score` in [0, 1]."""

    kind: TextKind
    text: str
    score: float
    words: tuple[Word, ...] = ()


class ConvertedAudio(Converted, frozen=True, kw_only=True):
    """What one event says, as sound: `data` is a file of `content_type`, of `sound_ms` at `sample_rate_hz`."""

    kind: AudioKind
    content_type: str = ""
    sample_rate_hz: int = 0
    sound_ms: int = 0
    data: bytes = b""


def topic_of_kind(kind: str) -> str:
    """The unprefixed topic of a kind of conversion."""
    return c.CONVERTED_AUDIO if kind == "speech" else c.CONVERTED_TEXT


_TEXT = msgspec.msgpack.Decoder(ConvertedText)
_AUDIO = msgspec.msgpack.Decoder(ConvertedAudio)


def encode_converted(
    said: ConvertedText | ConvertedAudio, traceparent: str = "", tracestate: str = ""
) -> OutgoingRecord:
    """A conversion as the record to send to `converted.text` or `converted.audio`."""
    topic, event_type = (
        (c.CONVERTED_TEXT, c.CONVERTED_TEXT_TYPE)
        if isinstance(said, ConvertedText)
        else (c.CONVERTED_AUDIO, c.CONVERTED_AUDIO_TYPE)
    )
    headers = result_headers(said.id, event_type, said.stream, said.time_ms, traceparent, tracestate)
    if said.set_id:
        headers.append((c.H_SET_ID, said.set_id.encode()))
    return OutgoingRecord(topic, said.stream.encode(), encode_map(said), headers)


def decode_converted(value: bytes) -> ConvertedText:
    """A value of `converted.text`; raises `ContractError("bad_result")`."""
    return decode_value(_TEXT, value)


def decode_converted_audio(value: bytes) -> ConvertedAudio:
    """A value of `converted.audio`; raises `ContractError("bad_result")`."""
    found = decode_value(_AUDIO, value)
    if not found.reason and not found.data:
        raise ContractError("bad_result", "speech without a sound and without a reason")
    return found
