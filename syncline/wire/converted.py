"""Conversions of single events to text (transcripts, captions) and sound (speech), and their records.

Values are MessagePack maps under CloudEvents headers; ids are from `syncline.wire.ids.conversion_id`.
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
"""Kind of conversion -> the modality that is converted."""
Word = tuple[str, int, int, float]
"""A word, its start and end (ms from the start of the event), and its score in [0, 1]."""


class Converted(EventOrigin, frozen=True, kw_only=True):
    """A conversion without its text or sound; `ConvertedText` and `ConvertedAudio` describe the fields."""

    duration_ms: int = 0
    language: str = ""
    model: ModelInfo | None = None
    set_id: str = ""
    reason: str = ""
    detail: str = ""


class ConvertedText(Converted, frozen=True, kw_only=True):
    """One event as text: a picture's caption, or a transcript of speech.

    Attributes:
        id (str): deterministic; a repeat has the same.
        stream (str): the event's stream.
        lane (str): the event's lane.
        modality (str): the event's modality.
        source (str): the event's `ce_source`.
        event_id (str): the event's `ce_id`.
        topic (str): the event's topic without prefix.
        partition (int): the event's partition.
        offset (int): the event's offset.
        time_ms (int): event time, ms since 1970.
        duration_ms (int): how long the event lasts, ms. Default 0.
        language (str): BCP 47 tag of the text. Default: unknown.
        model (ModelInfo | None): the model's name and version. Default None.
        set_id (str): the fused result that has the event. Default: none has it.
        reason (str): why there is no conversion. Default: there is one.
        detail (str): more about `reason`. Default: none.
        kind (TextKind): `caption` or `transcript`.
        text (str): what the event says.
        score (float): the model's confidence, 0 to 1.
        words (tuple[Word, ...]): (word, start in ms, end in ms, score) each. Default: none.
    """

    kind: TextKind
    text: str
    score: float
    words: tuple[Word, ...] = ()


class ConvertedAudio(Converted, frozen=True, kw_only=True):
    """One event as sound: a text, spoken.

    Attributes:
        id (str): deterministic; a repeat has the same.
        stream (str): the event's stream.
        lane (str): the event's lane.
        modality (str): the event's modality.
        source (str): the event's `ce_source`.
        event_id (str): the event's `ce_id`.
        topic (str): the event's topic without prefix.
        partition (int): the event's partition.
        offset (int): the event's offset.
        time_ms (int): event time, ms since 1970.
        duration_ms (int): how long the event lasts, ms. Default 0.
        language (str): BCP 47 tag of the speech. Default: unknown.
        model (ModelInfo | None): the model's name and version. Default None.
        set_id (str): the fused result that has the event. Default: none has it.
        reason (str): why there is no conversion. Default: there is one.
        detail (str): more about `reason`. Default: none.
        kind (AudioKind): `speech`.
        content_type (str): of the file in `data`, e.g. `audio/flac`. Default: no file.
        sample_rate_hz (int): its sample rate, Hz. Default 0: no file.
        sound_ms (int): its length, ms. Default 0: no file.
        data (bytes): the sound file. Default: none.
    """

    kind: AudioKind
    content_type: str = ""
    sample_rate_hz: int = 0
    sound_ms: int = 0
    data: bytes = b""


def topic_of_kind(kind: str) -> str:
    """Return the topic, without prefix, of a kind of conversion."""
    return c.CONVERTED_AUDIO if kind == "speech" else c.CONVERTED_TEXT


_TEXT = msgspec.msgpack.Decoder(ConvertedText)
_AUDIO = msgspec.msgpack.Decoder(ConvertedAudio)


def encode_converted(
    said: ConvertedText | ConvertedAudio, traceparent: str = "", tracestate: str = ""
) -> OutgoingRecord:
    """Encode a conversion as a record of `converted.text` or `converted.audio`."""
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
    """Decode a value of `converted.text`. Raises `ContractError("bad_result")`."""
    return decode_value(_TEXT, value)


def decode_converted_audio(value: bytes) -> ConvertedAudio:
    """Decode a value of `converted.audio`. Raises `ContractError("bad_result")`."""
    found = decode_value(_AUDIO, value)
    if not found.reason and not found.data:
        raise ContractError("bad_result", "speech without a sound and without a reason")
    return found
