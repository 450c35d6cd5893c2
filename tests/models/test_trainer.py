"""Training runs from a corpus to a folder, and repeats with its seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.reference.checkpoint import WEIGHTS
from models.reference.model import ReferenceModel
from models.training.settings import Steps, TrainSettings, parse_steps
from models.training.trainer import train
from syncline.errors import SettingsError
from tests.support.tiny_corpus import LABELS, WORDS, tiny_concepts, tiny_texts

THREE = TrainSettings(steps=Steps(3, 3, 3, 3), image_batch=4, audio_batch=4, text_batch=4, fusion_batch=8)


@pytest.mark.slow
def test_training_repeats_to_the_bit(tiny_corpus: Path, tmp_path: Path) -> None:
    """Three steps twice with one seed give the same weights, byte for byte, and a model that opens."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        train("tiny", folder, tiny_corpus, tiny_concepts(), tiny_texts(), WORDS, THREE)
    first, second = ((folder / WEIGHTS).read_bytes() for folder in folders)
    assert first == second
    model = ReferenceModel(folders[0], device="cpu")
    assert (model.name, model.labels) == ("tiny", LABELS)
    log = (folders[0] / "train.log").read_text()
    assert all(f"{part} step 3" in log for part in ("image", "text", "audio", "fusion"))


def test_missing_corpus_says_how_to_build_it(tmp_path: Path) -> None:
    """Without a corpus the error names `make corpus`, before any training."""
    with pytest.raises(SettingsError, match="a corpus that `make corpus` built"):
        train("tiny", tmp_path / "out", tmp_path, tiny_concepts(), tiny_texts(), WORDS, THREE)


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "1,2,3,4,5"])
def test_wrong_steps_are_refused(text: str) -> None:
    """`--steps` takes four integers."""
    with pytest.raises(SettingsError, match="four integers"):
        parse_steps(text)


def test_wrong_settings_are_refused() -> None:
    """A run of no minutes, no steps or a negative seed is refused."""
    for wrong in ({"minutes": 0}, {"steps": Steps(0, 1, 1, 1)}, {"seed": -1}):
        with pytest.raises(SettingsError):
            TrainSettings(**wrong)
