"""ONNX files for texts and for sound: what is padded counts for nothing, and both lanes answer in one model."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from models import registry
from models.features import AUDIO
from models.interface import Member, Model
from tests.models.adapters.folders import manifest, text
from tests.models.adapters.onnx_graphs import write_loudest_bands, write_mean_of_words
from tests.support.media import sine, sound_file

WORDS = ["[UNK]", "red", "green", "apple", "pear"]
TABLE = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [3, 4, 0], [0, 0, 2]])


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Embeds a text as the mean of its words; labels lie in the same space."""
    folder = tmp_path_factory.mktemp("texts")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_mean_of_words(folder / "words.onnx", TABLE)
    lane = {"file": "words.onnx", "input": "input_ids"}
    return registry.load(str(manifest(folder, kind="onnx", labels=WORDS[1:], lanes={"text": lane}, prompt="{}")))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Scores a label a band by the loudest that the band was."""
    folder = tmp_path_factory.mktemp("sounds")
    write_loudest_bands(folder / "bands.onnx", AUDIO.n_mels)
    lane = {"file": "bands.onnx", "gives": "labels"}
    labels = [f"band {number}" for number in range(AUDIO.n_mels)]
    return registry.load(str(manifest(folder, kind="onnx", labels=labels, lanes={"audio": lane})))


def tone(model: Model, hz: float, seconds: float) -> Member:
    """A member that is a pure tone."""
    data = sound_file(sine(hz, seconds=seconds), 16_000, "WAV", "PCM_16")
    return Member("audio", "audio", model.prepare("audio", data, "audio/wav", None))


def test_a_text_is_the_mean_of_its_words(texts: Model) -> None:
    """As the graph has it, at length one; the words of a longer text beside it in the batch change nothing."""
    short, long = texts.run([[text(texts, "apple")], [text(texts, "red green green pear apple")]])
    assert short.embedding == pytest.approx([0.6, 0.8, 0], abs=1e-6)
    mean = TABLE[[1, 2, 2, 4, 3]].mean(axis=0)
    assert long.embedding == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_labels_are_read_by_the_same_graph(texts: Model) -> None:
    """The nearest label is the word itself."""
    answers = texts.run([[text(texts, word)] for word in WORDS[1:]])
    assert [answer.labels[0][0] for answer in answers] == WORDS[1:]


def test_a_tone_is_loudest_in_its_band(sounds: Model) -> None:
    """Also beside a longer one, for what pads it is as quiet as it gets."""
    (alone,) = sounds.run([[tone(sounds, 300, 0.3)]])
    low, high = sounds.run([[tone(sounds, 300, 0.3)], [tone(sounds, 3_000, 1.0)]])
    bands = [int(answer.labels[0][0].removeprefix("band ")) for answer in (low, high)]
    assert bands[0] < bands[1]
    assert dict(low.labels) == pytest.approx(dict(alone.labels), abs=1e-6)
