"""streams/convert/conversion_check.py: what a converter may say, and what is published of it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from models.interface import Speech, Text, TimedWord
from streams.convert.conversion_check import MAX_BYTES, Refused, Sound, check_conversion
from syncline.errors import MediaError

TONE = np.sin(np.arange(8_000, dtype=np.float32) / 10).astype(np.float32) / 2


def test_a_text_passes_as_it_is() -> None:
    """With its words, and numbers of whatever kind as plain ones."""
    words = (TimedWord("red", 0, 300, 0.9), TimedWord("apple", 300, 800, 1.0))
    said = check_conversion(Text("red apple", np.float32(0.5), "en", words))  # type: ignore[arg-type]
    assert said == Text("red apple", 0.5, "en", words)
    assert isinstance(said, Text)
    assert type(said.score) is float


def test_speech_becomes_a_file_that_says_the_same() -> None:
    """FLAC of 16 bits: nobody hears the difference."""
    said = check_conversion(Speech(TONE, 16_000, "en"))
    assert isinstance(said, Sound)
    assert (said.content_type, said.sample_rate_hz, said.sound_ms, said.language) == ("audio/flac", 16_000, 500, "en")
    samples, rate_hz = soundfile.read(io.BytesIO(said.data), dtype="float32")
    assert rate_hz == 16_000
    assert np.abs(samples - TONE).max() < 1e-4


def test_speech_that_is_too_loud_is_clipped() -> None:
    """A wrap-around would be a bang."""
    said = check_conversion(Speech(TONE * 4, 16_000))
    assert isinstance(said, Sound)
    samples, _ = soundfile.read(io.BytesIO(said.data), dtype="float32")
    assert np.abs(samples).max() <= 1.0
    assert (np.sign(samples[TONE != 0]) == np.sign(TONE[TONE != 0])).all()


def test_an_event_that_has_no_conversion_is_refused_with_its_reason() -> None:
    """That is an answer."""
    assert check_conversion(MediaError("not_speech", "a dog barks")) == Refused("not_speech", "a dog barks")


def test_what_is_too_large_to_be_published_is_refused() -> None:
    """The topic would not take it, for ever."""
    noise = np.random.default_rng(1).uniform(-1, 1, 16_000 * 60).astype(np.float32)
    for said in (Text("x" * (MAX_BYTES + 1), 1.0), Speech(noise, 16_000)):
        answer = check_conversion(said)
        assert isinstance(answer, Refused)
        assert answer.reason == "conversion_too_large"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("red apple", "a str instead of a Text or Speech"),
        (Text(b"red", 0.5), "gave a bytes for its text"),  # type: ignore[arg-type]
        (Text("\ud800", 0.5), "no Unicode"),
        (Text("red", float("nan")), "outside"),
        (Text("red", 1.5), "outside"),
        (Text("red", 1.0, "en", ("red",)), "a str for a word"),  # type: ignore[arg-type]
        (Text("red", 1.0, "en", (TimedWord("red", 300, 100, 1.0),)), "from 300 to 100 ms"),
        (Speech(TONE.astype(np.float64), 16_000), "float64"),
        (Speech(TONE[None], 16_000), r"\(1, 8000\)"),
        (Speech(TONE[:0], 16_000), "no samples"),
        (Speech(np.full(4, np.inf, np.float32), 16_000), "not finite"),
        (Speech(TONE, 4_000), "4000 Hz"),
    ],
)
def test_what_nobody_could_use_is_an_error(said: object, why: str) -> None:
    """The event is then asked for once more, alone, and refused if that fails."""
    with pytest.raises(ValueError, match=why):
        check_conversion(said)
