"""The voice that comes with the repository speaks: as long as it should, without clicks, to be understood."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models.evaluation.protocol import sentences
from models.folder import WEIGHTS
from models.interface import Speech
from models.synthesis.converter import SHIPPED_DIR, SynthesisConverter, open_reference
from models.training.synthesis.evaluate import Recogniser, word_error_rate, word_errors

Samples = npt.NDArray[np.float32]
SENTENCES = ["Hello world.", "Red apple", "The quick brown fox jumps over the lazy dog.", "On May 3rd it cost $5.50!"]


@pytest.fixture(scope="module")
def voice() -> SynthesisConverter:
    """The shipped voice, opened."""
    return open_reference("")


def say(voice: SynthesisConverter, *texts: str) -> list[Samples]:
    """The sound of texts, in one batch."""
    answers = voice.run([voice.prepare(text.encode(), "text/plain", "en") for text in texts])
    return [answer.samples for answer in answers if isinstance(answer, Speech)]


def jumps(samples: Samples) -> tuple[float, float]:
    """The largest step from sample to sample, as it is and by the steps' mean size in the 10 ms around it."""
    steps = np.abs(np.diff(samples)).astype(np.float64)
    around = np.sqrt(np.convolve(np.pad(steps, 80) ** 2, np.full(161, 1 / 161), "valid"))
    return float(steps.max()), float((steps / (around + 1e-3)).max())


def level(samples: Samples) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(samples))))


@pytest.mark.parametrize(
    ("text", "least_s", "most_s"),
    [("Hello.", 0.5, 1.2), ("Hello world.", 0.7, 1.5), (SENTENCES[2], 2.2, 3.8), ("a", 0.25, 0.9)],
)
def test_it_is_as_long_as_it_should_be(voice: SynthesisConverter, text: str, least_s: float, most_s: float) -> None:
    """About twelve phones a second, and a little silence before and after."""
    (samples,) = say(voice, text)
    assert least_s < len(samples) / 16_000 < most_s
    assert level(samples) > 0.02


def test_no_clicks(voice: SynthesisConverter) -> None:
    """No step between samples is larger than the teacher's (0.36; 5.6 times those around it)."""
    for samples in say(voice, *SENTENCES):
        largest, beside_others = jumps(samples)
        assert largest < 0.4
        assert beside_others < 7.0


def test_a_click_would_be_found(voice: SynthesisConverter) -> None:
    """One sample that is off is a jump of more than is allowed: the law above can be broken."""
    (samples,) = say(voice, "Hello world.")
    clicked: Any = samples.copy()
    clicked[200] += 0.3
    assert jumps(clicked)[1] > 7.0


def test_no_clipped_ends(voice: SynthesisConverter) -> None:
    """Sound comes out of silence and fades into it: no end is cut off, no sample is beyond the range."""
    for samples in say(voice, *SENTENCES):
        assert max(level(samples[:160]), level(samples[-160:])) < 0.002
        assert abs(float(samples[0])) < 1e-4
        assert abs(float(samples[-1])) < 1e-4
        assert np.abs(samples).max() < 0.99


def test_sentences_are_said_one_after_the_other(voice: SynthesisConverter) -> None:
    """Two sentences are as long as both of them."""
    one, two, both = say(voice, "The dog ran.", "It was late.", "The dog ran. It was late.")
    assert len(both) == len(one) + len(two)


def test_weights_are_small() -> None:
    """Under 12 MB, the lexicon under 1 MB."""
    assert (SHIPPED_DIR / WEIGHTS).stat().st_size < 12_000_000
    assert (SHIPPED_DIR / "lexicon.xz").stat().st_size < 1_000_000


@pytest.mark.slow
def test_it_is_understood(voice: SynthesisConverter) -> None:
    """Whisper tiny.en writes down five sentences that it never learned, with few words wrong."""
    chosen = sorted(sentences().text, key=len)[:5]
    judge = Recogniser()
    errors = [
        word_errors(judge.write(samples), text) for text, samples in zip(chosen, say(voice, *chosen), strict=True)
    ]
    assert word_error_rate(errors) < 0.3
