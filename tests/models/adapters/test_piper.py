"""Piper speaks a text as it stands: whatever is in it is text."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from models.adapters import piper as piper_module
from models.adapters.piper import PiperConverter, open_piper
from models.adapters.speaking import MAX_CHARACTERS, MAX_SPEECH_S, in_range
from models.interface import Speech
from models.registry import open_converter, parse_spec
from syncline.errors import MediaError, SettingsError


def say(piper: PiperConverter, *texts: str) -> list[Speech | MediaError]:
    return piper.run([piper.prepare(text.encode(), "text/plain", None) for text in texts])


def speech(answer: Speech | MediaError) -> Speech:
    assert isinstance(answer, Speech), answer
    return answer


def test_speaks(piper: PiperConverter) -> None:
    """Speech is float32 within full scale at the voice's rate, heard for as long as a sentence takes."""
    said = speech(say(piper, "The old man walked slowly to the market.")[0])
    assert (said.samples.dtype, said.samples.ndim, said.sample_rate_hz) == (np.float32, 1, 22_050)
    assert 1.5 < len(said.samples) / said.sample_rate_hz < 5
    assert 0.1 < np.abs(said.samples).max() <= 1
    assert said.language == "en-us"


def test_the_same_text_gives_the_same_sound(piper: PiperConverter) -> None:
    """A conversion that is made again after a crash is the same to the bit, alone or beside others."""
    first, _, again = say(piper, "good morning", "something else", "good morning")
    np.testing.assert_array_equal(speech(first).samples, speech(again).samples)


@pytest.mark.parametrize("text", ["[[h@]] hello", "hello [[[[a]]]]", "<speak><break time='9s'/>hello</speak>"])
def test_text_is_never_phonemes_or_marks(piper: PiperConverter, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What piper would read as raw phonemes reaches it as brackets with a space between; marks are read out."""
    seen: list[str] = []
    synthesize = piper._voice.synthesize

    def watched(text: str, settings: object) -> object:
        seen.append(text)
        return synthesize(text, settings)

    monkeypatch.setattr(piper._voice, "synthesize", watched)
    said = speech(say(piper, text)[0])
    assert "[[" not in seen[0]
    assert seen[0].replace(" ", "") == text.replace(" ", "")
    assert len(said.samples) / said.sample_rate_hz < 9


def test_too_long_a_text_is_refused(piper: PiperConverter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text with too many characters is refused before it is spoken, one that speaks too long while it is."""
    with pytest.raises(MediaError, match="text_too_many_characters"):
        piper.prepare(b"a" * (MAX_CHARACTERS + 1), "text/plain", None)
    monkeypatch.setattr("models.adapters.speaking.MAX_SPEECH_S", 1)
    (answer,) = say(piper, "One. Two. Three. Four. Five. Six. Seven. Eight.")
    assert isinstance(answer, MediaError)
    assert (answer.reason, MAX_SPEECH_S) == ("audio_too_many_seconds", 60)


def test_alone_it_takes_the_voice_of_the_package(piper: PiperConverter) -> None:
    """The name is the voice's, the version a digest of its weights."""
    assert (piper.name, len(piper.version)) == ("piper/en_US-joe-medium", 12)


def test_a_missing_voice_says_what_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is no voice is named; without the package the error names the extra."""
    with pytest.raises(SettingsError, match=r"voice\.onnx', takes the path of a voice's \.onnx file"):
        open_converter(parse_spec(f"speech=piper:{tmp_path / 'voice.onnx'}"))
    for name in ("voice.onnx", "voice.onnx.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(SettingsError, match="takes a voice of piper"):
        open_piper(str(tmp_path / "voice.onnx"))
    monkeypatch.setattr(piper_module, "package_folder", lambda _: None)
    with pytest.raises(SettingsError, match=r"syncline\[piper\]"):
        open_piper("")


def test_only_its_adapter_imports_piper() -> None:
    """Piper is under the GPL-3: no other file of the service imports it, but what builds the corpus with it."""
    root = Path(piper_module.__file__).parents[2]
    parts = ("syncline", "streams", "processors", "models", "verify", "demo")
    files = [path for part in parts for path in (root / part).rglob("*.py")]
    found = {path.relative_to(root).as_posix() for path in files if "piper" in _imports(path)}
    assert found <= {"models/adapters/piper.py", "models/training/corpus/speech.py"}


def test_soft_enough_is_left_alone() -> None:
    """What is within full scale stays as it is; what is beyond becomes softer as a whole."""
    quiet = np.asarray([0.5, -0.25], np.float32)
    np.testing.assert_array_equal(in_range(quiet), quiet)
    np.testing.assert_array_equal(in_range(4 * quiet), [1, -0.5])


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.partition(".")[0] for name in plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}}
