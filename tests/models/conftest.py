"""A tiny synthetic corpus, and an untrained model on it, for the tests of models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.reference.model import ReferenceModel
from tests.support.tiny_corpus import write_tiny_corpus
from tests.support.tiny_model import write_tiny_model


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny networks gain nothing from threads, and beside other work threads that wait for each other lose minutes."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus folder with packed arrays of a few concepts."""
    folder = tmp_path_factory.mktemp("corpus") / "tiny"
    write_tiny_corpus(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was never trained."""
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> ReferenceModel:
    """The untrained model, opened."""
    return ReferenceModel(tiny_folder, device="cpu")
