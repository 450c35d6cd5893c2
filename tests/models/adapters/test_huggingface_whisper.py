"""Whisper of transformers keeps the contract of converters; with random weights, so what it hears is nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.adapters.transcripts import Token, timed_words
from models.interface import Text
from syncline.errors import SettingsError
from tests.models.adapters.conftest import wav
from tests.support.tiny_whisper import LANGUAGES, write_tiny_whisper

if TYPE_CHECKING:  # importing transformers takes seconds, which whoever only collects tests need not wait for
    from models.adapters.huggingface_whisper import HuggingFaceWhisper

# transformers lets numpy look at torch's tensors where it aligns words.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceWhisper:
    """A multilingual one that was never trained."""
    from models.adapters.huggingface_whisper import open_whisper

    return open_whisper(str(write_tiny_whisper(tmp_path_factory.mktemp("whisper"))))


@pytest.fixture
def no_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tones are speech: pieces are found by energy, as without faster-whisper."""
    monkeypatch.setitem(__import__("sys").modules, "faster_whisper.vad", None)


def tone(seconds: float, hz: float = 440) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(16_000 * seconds)) / 16_000)


@pytest.mark.usefixtures("no_detector")
def test_clips_are_answered_in_order_and_alike_in_a_batch(tiny: HuggingFaceWhisper) -> None:
    """Each clip of a batch gets what it gets alone; silence gets nothing."""
    clips = [wav(tone(1)), wav(np.zeros(16_000)), wav(tone(2, 900))]
    items = [tiny.prepare(clip, "audio/wav", "en") for clip in clips]
    together = tiny.run(items)
    assert together[1] == Text("", 0.0)
    for item, text in zip(items, together, strict=True):
        (alone,) = tiny.run([item])
        assert (text.text, text.language) == (alone.text, alone.language)
        assert text.score == pytest.approx(alone.score, abs=1e-4)


@pytest.mark.usefixtures("no_detector")
def test_language_is_given_or_detected(tiny: HuggingFaceWhisper) -> None:
    """The event's language counts; without one the network says which of its own it is."""
    given, detected = tiny.run([tiny.prepare(wav(tone(1)), "audio/wav", code) for code in ("zh-Hans", None)])
    assert given.text
    assert given.language == "zh"
    assert detected.language in LANGUAGES


@pytest.mark.usefixtures("no_detector")
def test_words_lie_in_the_clip(tiny: HuggingFaceWhisper) -> None:
    """Times are those of the clip, after the silence before the sound; scores are probabilities."""
    whole = np.concatenate([np.zeros(32_000), tone(1.5), np.zeros(16_000)])
    (text,) = tiny.run([tiny.prepare(wav(whole), "audio/wav", "en")])
    assert text.words
    assert 0 < text.score <= 1
    assert all(1_600 <= w.start_ms <= w.end_ms <= 3_900 and 0 <= w.score <= 1 for w in text.words)


def test_a_pickle_is_refused_with_the_command_that_converts_it(tmp_path: Path) -> None:
    """A folder without safetensors names what it has instead, and how to convert that."""
    (tmp_path / "config.json").write_text("{}")
    from models.adapters.huggingface_whisper import open_whisper

    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(SettingsError, match=r"pytorch_model\.bin may hold a program.*syncline model convert IN OUT"):
        open_whisper(str(tmp_path))
    with pytest.raises(SettingsError, match="huggingface:FOLDER or huggingface:hub:OWNER/NAME"):
        open_whisper("")


def test_tokens_become_words() -> None:
    """A space begins a word; a word lasts until the next one, the last one until the end."""
    tokens = [Token(" red", 0, 0.0), Token("dish", 200, -0.5), Token(" apple", 400, 0.0), Token(".", 9_000, 0.0)]
    words = timed_words(tokens, 1_000, 900)
    assert [word[:3] for word in words] == [("reddish", 1_000, 1_400), ("apple.", 1_400, 1_900)]
    assert words[0].score == pytest.approx((1 + np.exp(-0.5)) / 2)
