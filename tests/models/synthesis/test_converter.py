"""The reference converter of kind `speech`: text in, sound out, and plain words for what it cannot say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.interface import Speech
from models.registry import open_converter, parse_spec
from models.synthesis.converter import MAX_WORDS, SynthesisConverter, split_sentences, to_pieces
from syncline.errors import MediaError, SettingsError
from tests.support.tiny_voice import write_tiny_voice

TEXTS = ["Hello world.", "The cat", "The apple! The dog? Hello.", "Hello world."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained voice."""
    return write_tiny_voice(tmp_path_factory.mktemp("voice"))


@pytest.fixture(scope="module")
def converter(folder: Path) -> SynthesisConverter:
    """The untrained voice, opened."""
    return SynthesisConverter(folder)


def say(converter: SynthesisConverter, *texts: str) -> list[Speech]:
    """What the converter makes of texts, in one batch."""
    answers = converter.run([converter.prepare(text.encode(), "text/plain", "en") for text in texts])
    assert all(isinstance(answer, Speech) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Speech)]


def test_spec_opens_it(folder: Path) -> None:
    """`speech=reference:FOLDER` is this converter."""
    opened = open_converter(parse_spec(f"speech=reference:{folder}"))
    assert (opened.name, opened.version, opened.kind, opened.modality) == ("tiny", "1", "speech", "text")
    opened.warm_up()


def test_each_text_is_said_in_order(converter: SynthesisConverter) -> None:
    """A batch answers as texts one by one do, in order: float32 at 16 kHz within -1 and 1."""
    for text, together in zip(TEXTS, say(converter, *TEXTS), strict=True):
        (alone,) = say(converter, text)
        assert together.samples.dtype == np.float32
        assert (together.sample_rate_hz, together.language, together.samples.ndim) == (16_000, "en", 1)
        assert np.abs(together.samples).max() <= 1
        assert len(alone.samples) == len(together.samples) > 0
        np.testing.assert_allclose(alone.samples, together.samples, atol=0.02)


def test_no_text_no_speech(converter: SynthesisConverter) -> None:
    """An empty batch has no answers."""
    assert converter.run([]) == []


@pytest.mark.parametrize("language", [None, "", "en", "en-GB", "EN_us"])
def test_english_is_taken(converter: SynthesisConverter, language: str | None) -> None:
    """English of any country, and text of which nothing is said."""
    assert converter.prepare(b"Hello", "text/plain", language).cost > 0


@pytest.mark.parametrize("language", ["zh", "de-DE", "eng"])
def test_other_languages_are_refused(converter: SynthesisConverter, language: str) -> None:
    """The voice speaks English alone, and says so."""
    with pytest.raises(MediaError, match=f"language_not_spoken: got language '{language}', takes en"):
        converter.prepare(b"Hello", "text/plain", language)


@pytest.mark.parametrize("text", ["", "   ", "...", "你好", "😀"])
def test_text_without_words_is_refused(converter: SynthesisConverter, text: str) -> None:
    """What holds nothing that can be said is refused."""
    with pytest.raises(MediaError, match=r"empty|text_no_words"):
        converter.prepare(text.encode(), "text/plain", None)


def test_a_clip_is_a_minute_at_most(converter: SynthesisConverter) -> None:
    """A text of many sentences is taken up to a minute, and refused beyond with what is taken."""
    assert len(converter.prepare(b"Hello world. " * 60, "text/plain", None).value) == 60
    with pytest.raises(MediaError, match=r"speech_too_long: got \d+ phones, takes at most 720, about 60 s"):
        converter.prepare(b"Hello world. " * 120, "text/plain", None)


@pytest.mark.parametrize("name", ["weights.safetensors", "lexicon.xz"])
def test_tampered_file_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    """One changed byte in a file is found by its digest."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    data = bytearray((copy / name).read_bytes())
    data[-1] ^= 1
    (copy / name).write_bytes(bytes(data))
    with pytest.raises(SettingsError, match=rf"{name}: got 'sha256 \w+', takes sha256 \w+: the file was changed"):
        SynthesisConverter(copy)


def test_model_of_another_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    """A folder whose model does something else is refused by its kind, one without a manifest by its name."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    manifest = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps(manifest | {"kind": "fusion"}))
    with pytest.raises(SettingsError, match="of kind fusion', takes a model of kind speech"):
        SynthesisConverter(copy)
    with pytest.raises(SettingsError, match=r"takes a folder with a whole model\.json"):
        SynthesisConverter(tmp_path / "nowhere")


def test_sentences_are_cut_at_their_ends() -> None:
    """At full stops before a capital and at line breaks, but after no title or initial."""
    text = 'Dr. Smith met J. Jones. He said "Go!" Then 3.5 km\nwere left... Was it far? yes'
    assert split_sentences(text) == [
        "Dr. Smith met J. Jones.", 'He said "Go!', "Then 3.5 km", "were left...", "Was it far? yes",
    ]  # fmt: skip


def test_long_sentences_are_cut_at_pauses() -> None:
    """A sentence of a hundred words is said in pieces, cut at commas where it has some; no word is lost."""
    with_commas, without = ", ".join(["one two three"] * 33), "word " * 100
    pieces = to_pieces(with_commas)
    assert all(len(piece) <= MAX_WORDS and piece[-1] == "three" for piece in pieces)
    assert sum(word != "pau" for piece in pieces for word in piece) == 99
    assert [len(piece) for piece in to_pieces(without)] == [MAX_WORDS, MAX_WORDS, 100 - 2 * MAX_WORDS]
