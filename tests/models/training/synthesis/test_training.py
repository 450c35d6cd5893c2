"""The voice is trained from spoken sentences to a folder, and repeats with its seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.evaluation.protocol import Sentences
from models.folder import WEIGHTS
from models.synthesis.converter import SynthesisConverter
from models.synthesis.network import SpeechNetwork
from models.synthesis.pronunciation import SpellingNetwork, guess_phones
from models.training.run_folder import CHECKPOINTS, Run
from models.training.settings import SynthesisSettings, VoiceSteps, parse_steps
from models.training.synthesis import corpus, samples
from models.training.synthesis import voice as trainer
from models.training.synthesis.__main__ import main
from models.training.synthesis.corpus import Batches, SpeechBatch, batch_of
from models.training.synthesis.spelling import (
    SpellingTask,
    phone_error,
    read_source,
    split_unseen,
    stem_of,
    train_spelling,
)
from models.training.synthesis.teacher import Utterance
from models.training.synthesis.voice import VoiceTask, measure_scale, spoken_error
from syncline.errors import SettingsError
from tests.support.tiny_voice import SIZES, WORDS, write_tiny_voice

THREE = SynthesisSettings(steps=VoiceSteps(3, 3), batch=2, spelling_batch=4)


def train_tiny(folder: Path, spoken: Path, *, resume: bool | None = None, checkpoint_steps: int = 0) -> None:
    """Train a voice for three steps."""
    trainer.VoiceTrainer("tiny", THREE, Run(folder, checkpoint_steps=checkpoint_steps), spoken).train(resume)


def fake_say(sentence: str) -> Utterance:
    """A hum for each letter: what the teacher would say, without flite."""
    phones = ["pau", *("ae" if letter in "aeiou" else "t" for letter in sentence.lower()[:20]), "pau"]
    n_frames = [4] * len(phones)
    n_samples = 200 * (sum(n_frames) - 1)
    return Utterance(np.sin(np.arange(n_samples) * 0.2).astype(np.float32) * 0.3, phones, n_frames)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a corpus of a few sentences that nobody spoke."""
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "say", fake_say)
        patch.setattr(corpus, "check_teacher", lambda: None)
        few = ["Hello world", "The cat", "A dog ran away"]
        patch.setattr(corpus, "sentences", lambda: Sentences(1, few * 2, few, few, few))
        corpus.build(folder)
        yield folder


def test_corpus_is_read_as_it_was_spoken(spoken: Path) -> None:
    """Sentences, phones, mels and samples come back; of the training split no samples are kept."""
    train, test = (corpus.read(spoken / corpus.FOLDER, split) for split in ("train", "text"))
    assert len(train.spoken) == 6
    assert train.samples == []
    for one, mel, sound in zip(test.spoken, test.log_mels, test.samples, strict=True):
        said = fake_say(one.sentence)
        assert (one.phones, one.n_frames, len(mel)) == (said.phones, said.n_frames, sum(said.n_frames))
        np.testing.assert_allclose(sound, said.samples, atol=1e-4)


def test_missing_corpus_says_how_to_build_it(tmp_path: Path) -> None:
    """Without a corpus the error names the command."""
    with pytest.raises(SettingsError, match="make corpus"):
        corpus.read(tmp_path, "train")


def test_batches_hold_each_sentence_once_a_round(spoken: Path) -> None:
    """Every sentence is drawn once before one is drawn again, in the order of the seed."""
    split = corpus.read(spoken / corpus.FOLDER, "train")

    def first(seed: int) -> list[list[int]]:
        batches = Batches(split, 2, seed)
        return [batches.draw().n_phones.tolist() for _ in range(3)]

    lengths = sorted(len(one.phones) for one in split.spoken)
    assert sorted(n for batch in first(1) for n in batch) == lengths
    assert first(1) == first(1)


def test_batch_is_padded_with_zeros(spoken: Path) -> None:
    """Phones, frames and mels of a batch are as long as its longest."""
    batch = batch_of(corpus.read(spoken / corpus.FOLDER, "text"), [0, 2])
    assert isinstance(batch, SpeechBatch)
    assert batch.phones.shape == batch.frames.shape == (2, int(batch.n_phones.max()))
    assert batch.log_mel.shape[1] == int(batch.frames.sum(1).max())
    assert batch.phones[0, int(batch.n_phones[0]) :].sum() == 0


def test_network_learns(spoken: Path) -> None:
    """Steps on a handful of sentences bring the mel that is said nearer to the teacher's."""
    split = corpus.read(spoken / corpus.FOLDER, "train")
    torch.manual_seed(1)
    network = SpeechNetwork(SIZES)
    measure_scale(network, split)
    before = spoken_error(network, split)
    task = VoiceTask(network, split, THREE)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(15):
        optimizer.zero_grad()
        task.loss(0).backward()
        optimizer.step()
    assert spoken_error(network, split) < 0.9 * before
    assert set(task.parts) == {"copy", "spoken", "latent", "commit", "duration"}


def test_spelling_is_learned() -> None:
    """A few words are learned by heart, and then none of their phones is wrong."""
    torch.manual_seed(1)
    network = SpellingNetwork(16, dropout=0)
    settings = SynthesisSettings(steps=VoiceSteps(60, 1), spelling_batch=7, spelling_learning_rate=0.03, average=0.5)
    before = phone_error(network, WORDS)
    train_spelling(WORDS | {"aaa": ["z"]}, network, settings)
    assert phone_error(network, WORDS) < 0.5 * before
    assert guess_phones(network, []) == []


@pytest.fixture
def tiny_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training of a few words and of small networks."""
    words = {f"{word}{letter}": phones for word, phones in WORDS.items() for letter in "abcdef"}
    monkeypatch.setattr(trainer, "read_source", lambda: words)
    monkeypatch.setattr(trainer, "split_unseen", lambda words: (words, WORDS))
    monkeypatch.setattr(trainer, "VoiceDimensions", lambda: SIZES)


def test_training_repeats_to_the_bit(spoken: Path, tmp_path: Path, tiny_sizes: None) -> None:
    """Three steps twice with one seed give the same weights, byte for byte, and a voice that opens."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        train_tiny(folder, spoken)
    first, second = ((folder / WEIGHTS).read_bytes() for folder in folders)
    assert first == second
    assert SynthesisConverter(folders[0]).name == "tiny"
    log = (folders[0] / "train.log").read_text()
    assert "spelling step 3" in log
    assert "voice step 3" in log
    assert [path.stem for path in sorted((folders[0] / "curves").iterdir())] == ["spelling", "voice"]
    assert not (folders[0] / CHECKPOINTS).exists()


@pytest.mark.parametrize(("phase", "task"), [("spelling", SpellingTask), ("voice", VoiceTask)])
def test_training_that_was_stopped_goes_on_to_the_bit(
    spoken: Path, tmp_path: Path, tiny_sizes: None, monkeypatch: pytest.MonkeyPatch, phase: str, task: Any
) -> None:
    """Stopped in either phase and begun again, it ends with the weights of a run that was not, byte for byte."""
    train_tiny(tmp_path / "whole", spoken)
    loss, n = task.loss, iter(range(3))

    def stopped(self: Any, spent: float) -> torch.Tensor:
        if next(n) == 2:
            raise InterruptedError
        return loss(self, spent)

    with monkeypatch.context() as patch:
        patch.setattr(task, "loss", stopped)
        with pytest.raises(InterruptedError):
            train_tiny(tmp_path / "cut", spoken, checkpoint_steps=1)
    train_tiny(tmp_path / "cut", spoken, resume=True)
    assert (tmp_path / "cut" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    log = (tmp_path / "cut" / "train.log").read_text()
    assert f"{phase} step 2" in log
    assert "goes on from its checkpoint" in log
    assert ("was done before" in log) == (phase == "voice")


def test_unseen_words_have_no_forms_that_are_seen() -> None:
    """A word and its plural are both learned or both kept for the test."""
    words = {f"{letter}{other}am{ending}": ["ae"] for letter in "bcdfghjklmnp" for other in "bcdfghjklmnpqrstvwxz"
             for ending in ("", "s", "'s", "ing", "ed", "er", "ly", "mit", "lot", "bor", "sat", "tor")}  # fmt: skip
    seen, unseen = split_unseen(words)
    assert len(unseen) == 2000
    assert not {stem_of(word) for word in seen} & {stem_of(word) for word in unseen}


def test_dictionary_is_read(tmp_path: Path) -> None:
    """Entries with accents and parts of speech; of two, the noun; no entry of letters that are none."""
    path = tmp_path / "dict"
    path.write_text(
        'MNCL\n("a" dt (((ax) 0)))\n("record" v (((r ax) 0) ((k ao r d) 1)))\n'
        '("record" n (((r eh) 1) ((k er d) 0)))\n("hello" nil (((hh ax) 0) ((l ow) 1)))\n("3d" nil (((th r iy) 1)))\n'
    )
    assert read_source(path) == {
        "a": ["ax"], "record": ["r", "eh", "k", "er", "d"], "hello": ["hh", "ax", "l", "ow"],
    }  # fmt: skip
    with pytest.raises(SettingsError, match="Debian: festlex-cmu"):
        read_source(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["", "1", "a,b", "1,2,3"])
def test_wrong_steps_are_refused(text: str) -> None:
    """`--steps` takes two integers."""
    with pytest.raises(SettingsError, match="two integers"):
        parse_steps(text, VoiceSteps)


@pytest.mark.parametrize("wrong", [{"minutes": 0}, {"steps": VoiceSteps(0, 1)}, {"seed": -1}, {"patience": -1}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    """A run of no minutes, no steps or a negative seed is refused."""
    with pytest.raises(SettingsError):
        SynthesisSettings(**wrong)  # pyright: ignore[reportArgumentType]


def test_page_plays_every_speaker(spoken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip of each speaker for each sentence, all of them on the page."""
    monkeypatch.setattr(samples, "N_SENTENCES", 1)
    page = samples.write_page(write_tiny_voice(tmp_path / "voice"), spoken, tmp_path / "docs").read_text()
    clips = sorted(path.name for path in (tmp_path / "docs" / "speech").iterdir())
    assert len(clips) == 2 * 1 * 5
    assert all(f'src="speech/{clip}"' in page for clip in clips)


def test_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is no voice is refused with exit code 2."""
    assert main(["evaluate", "--model", str(tmp_path), "--corpus", str(tmp_path)]) == 2
    assert "a folder with a whole model.json" in capsys.readouterr().err
