"""Sound is cut where it pauses, transcripts are put together, and what a recogniser makes up is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.adapters.audio_chunks import MAX_PAUSE_MS, RATE_HZ, SpeechSpan, join_spans, spans_by_energy
from models.adapters.transcripts import SILENT, HeardPiece, is_silence, language_code, one_transcript, repeats_itself
from models.interface import TimedWord


def tone(seconds: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def test_energy_finds_where_there_is_sound() -> None:
    """Two tones with a second between them are two stretches, each with a little of the silence around it."""
    spans = spans_by_energy(np.concatenate([quiet(2), tone(1), quiet(2), tone(1), quiet(1)]), 29_000)
    assert len(spans) == 2
    for span, start_s in zip(spans, (2, 5), strict=True):
        assert start_s - 0.5 <= span.start / RATE_HZ <= start_s
        assert start_s + 1 <= span.end / RATE_HZ <= start_s + 1.5


def test_energy_finds_nothing_in_silence() -> None:
    """Zeros and what is below -80 dB are no sound; no samples are none either."""
    assert spans_by_energy(quiet(1), 29_000) == []
    assert spans_by_energy(1e-5 * tone(1), 29_000) == []
    assert spans_by_energy(np.zeros(0, np.float32), 29_000) == []


def test_long_sound_is_cut_at_its_quietest() -> None:
    """A stretch that is too long is cut in its pause, and nothing of it is lost."""
    whole = np.concatenate([tone(3), 0.05 * tone(0.4), tone(2)])
    spans = spans_by_energy(whole, 4_000)
    assert (spans[0].start, spans[-1].end) == (0, len(whole))
    assert [a.end for a in spans[:-1]] == [b.start for b in spans[1:]]
    assert 3 <= spans[0].end / RATE_HZ <= 3.4
    assert all(span.end - span.start <= 4 * RATE_HZ for span in spans)


def test_neighbours_are_joined_over_short_pauses_alone() -> None:
    """Pieces are as long as they may be, hold no long pause, and none is longer than the limit."""
    second = RATE_HZ
    near, far = SpeechSpan(0, second), SpeechSpan(second + MAX_PAUSE_MS * 16, 3 * second)
    assert join_spans([near, far], 29_000) == [SpeechSpan(0, 3 * second)]
    assert join_spans([near, SpeechSpan(far.start + 16, 4 * second)], 29_000) == [
        near,
        SpeechSpan(far.start + 16, 4 * second),
    ]
    assert join_spans([near, far], 2_500) == [near, far]
    assert join_spans([SpeechSpan(0, 5 * second)], 2_000) == [
        SpeechSpan(0, 2 * second), SpeechSpan(2 * second, 4 * second), SpeechSpan(4 * second, 5 * second)
    ]  # fmt: skip
    assert join_spans([], 29_000) == []


def test_a_transcript_is_its_pieces() -> None:
    """Texts in order, the score of all tokens together, words one after the other, the language of the most tokens."""
    words = (TimedWord("one", 0, 10, 1.0), TimedWord("two", 2_000, 2_010, 1.0))
    pieces = [
        HeardPiece("one ", -0.1, 1, "en", words[:1]),
        HeardPiece("", -3.0, 5, "de"),
        HeardPiece(" two", -0.4, 2, "en", words[1:]),
    ]
    text = one_transcript(pieces)
    assert (text.text, text.language, text.words) == ("one two", "en", words)
    assert text.score == pytest.approx(math.exp(-0.3))
    assert one_transcript([HeardPiece("", -1.0, 1, "en")]) == SILENT
    assert one_transcript([HeardPiece("你", 0, 1, "zh"), HeardPiece("好", 0, 1, "zh")]).text == "你好"


@pytest.mark.parametrize(
    ("language", "code"),
    [("en-GB", "en"), ("ZH_hans", "zh"), ("nb-NO", "no"), ("tlh", None), ("", None), (None, None)],
)
def test_languages_become_codes_of_whisper(language: str | None, code: str | None) -> None:
    """The first part of a BCP 47 tag counts; what the model does not know is to be detected."""
    assert language_code(language, {"en", "zh", "no"}) == code


def test_texts_that_run_in_a_circle_are_known() -> None:
    """Repetition compresses, what people say does not."""
    assert repeats_itself("taxi taxi taxi taxi taxi taxi taxi taxi taxi taxi taxi taxi")
    assert not repeats_itself("The old man walked slowly to the market because his horse was tired.")


def test_silence_needs_two_doubts() -> None:
    """Neither the doubt that anybody speaks nor an unlikely text is enough alone."""
    assert is_silence(0.9, -1.5)
    assert not is_silence(0.9, -0.2)
    assert not is_silence(0.1, -1.5)
