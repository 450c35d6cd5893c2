"""A tiny synthetic corpus, and an untrained model on it, for the tests of models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.reference.checkpoint import Manifest, save_checkpoint
from models.reference.model import ReferenceModel
from models.reference.network import Dimensions, ReferenceNetwork
from models.training.words import train_tokenizer
from tests.support.tiny_corpus import N_PHONES, tiny_concepts, write_tiny_corpus


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny networks gain nothing from threads, and beside other work threads that wait for each other lose minutes."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus folder with packed arrays of a few concepts."""
    folder = tmp_path_factory.mktemp("corpus")
    write_tiny_corpus(folder / "arrays")
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was never trained."""
    folder = tmp_path_factory.mktemp("model")
    concepts = tiny_concepts()
    tokenizer = train_tokenizer(concepts)
    torch.manual_seed(0)
    dimensions = Dimensions(len(concepts), tokenizer.get_vocab_size(), N_PHONES, n_state=32, n_audio_channels=32)
    manifest = Manifest("tiny", "1", dimensions, [c.label for c in concepts], [c.label_zh for c in concepts], {})
    save_checkpoint(folder, ReferenceNetwork(dimensions), tokenizer.to_str(), manifest)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> ReferenceModel:
    """The untrained model, opened."""
    return ReferenceModel(tiny_folder, device="cpu")
