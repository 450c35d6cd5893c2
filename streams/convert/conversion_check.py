"""Checks that a converter's answer can be published. Sound becomes FLAC: lossless and widely supported."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from models.interface import Speech, Text, TimedWord
from syncline.errors import MediaError

MAX_BYTES = 900_000
"""Limit of a conversion's text or sound: with the event's fields it stays below the topics' 1 MiB."""
FLAC = "audio/flac"
RATES_HZ = range(8_000, 48_001)


@dataclass(frozen=True, slots=True)
class Sound:
    """Speech to publish: `data` is a file of `content_type`, `sound_ms` long."""

    data: bytes
    content_type: str
    sample_rate_hz: int
    sound_ms: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an event has no conversion: a reason, and a sentence for people."""

    reason: str
    detail: str = ""


Answer = Text | Sound | Refused


def check_conversion(said: object) -> Answer:
    """Turn a converter's answer into what is published. Raises `ValueError` if it is unusable."""
    if isinstance(said, MediaError):
        return Refused(said.reason, said.detail)
    if isinstance(said, Text):
        return _text(said)
    if isinstance(said, Speech):
        return _sound(said)
    raise ValueError(f"the converter gave a {type(said).__name__} instead of a Text or Speech")


def _text(said: Text) -> Answer:
    words = tuple([_word(word) for word in said.words])
    checked = Text(_str(said.text, "its text"), _score(said.score, "a text"), _str(said.language, "a language"), words)
    n_bytes = len(said.text.encode()) + sum(len(word.text.encode()) + 32 for word in words)
    if n_bytes > MAX_BYTES:
        return Refused("conversion_too_large", f"the text has {n_bytes} bytes, at most {MAX_BYTES} are published")
    return checked


def _word(word: Any) -> TimedWord:
    if not isinstance(word, TimedWord):
        raise ValueError(f"the converter gave a {type(word).__name__} for a word")
    start_ms, end_ms = int(word.start_ms), int(word.end_ms)
    if not 0 <= start_ms <= end_ms:
        raise ValueError(f"the word {word.text!r:.100} is said from {start_ms} to {end_ms} ms")
    return TimedWord(_str(word.text, "a word"), start_ms, end_ms, _score(word.score, "a word"))


def _sound(said: Speech) -> Answer:
    samples: Any = np.asarray(said.samples)
    if samples.ndim != 1 or samples.dtype != np.float32:
        raise ValueError(f"speech is {samples.dtype} {samples.shape} instead of float32 (n_samples,)")
    if said.sample_rate_hz not in RATES_HZ:
        raise ValueError(f"speech has {said.sample_rate_hz} Hz, outside {RATES_HZ[0]} to {RATES_HZ[-1]}")
    if not len(samples) or not np.isfinite(samples).all():
        raise ValueError("speech has no samples" if not len(samples) else "speech has samples that are not finite")
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), said.sample_rate_hz, format="FLAC", subtype="PCM_16")
    data = file.getvalue()
    sound_ms = round(len(samples) * 1_000 / said.sample_rate_hz)
    if len(data) > MAX_BYTES:
        return Refused(
            "conversion_too_large",
            f"{sound_ms} ms of speech are {len(data)} bytes, at most {MAX_BYTES} are published",
        )
    return Sound(data, FLAC, said.sample_rate_hz, sound_ms, _str(said.language, "a language"))


def _str(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the converter gave a {type(value).__name__} for {what}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the converter gave for {what} what is no Unicode: {value!r:.100}") from error
    return value


def _score(value: Any, of: str) -> float:
    score = float(value)
    if not math.isfinite(score) or not 0 <= score <= 1:
        raise ValueError(f"{of} has score {value!r:.100}, outside [0, 1]")
    return score
