"""Trains the reference model: its branches, the fusion on top, and how far to trust each."""

from __future__ import annotations

from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import msgspec
import torch

from models.evaluation.protocol import Concept, Texts
from models.reference.checkpoint import ModelManifest, save_checkpoint
from models.reference.network import NetworkDimensions, ReferenceNetwork
from models.training.budget import Budget
from models.training.curve import as_line
from models.training.display import log
from models.training.loop import Phase
from models.training.reference.calibrate import Lanes, calibrate, calibrate_alone, fusion_accuracy
from models.training.reference.data import TrainingData, open_corpus
from models.training.reference.encode import validation_features
from models.training.reference.fuse import FusionTask
from models.training.reference.parallel_training import Job, train_branches
from models.training.reference.sources import train_tokenizer
from models.training.run_folder import Run
from models.training.settings import ReferenceSettings
from models.training.trainer import Trainer

VERSION = "4"
SOUNDS_COUNT = 2.0
"""The factor on the learned share of a set's sound in its embedding. Training only meets known words, and so learns too
small a share: on validation speech finds 0.66 instead of 0.53 of 100 labels that were never taught."""


class ReferenceTrainer(Trainer[ModelManifest]):
    """Trains the reference model.

    Args:
        corpus_dir (Path): the folder that `make corpus` built.
        concepts (list[Concept]): the protocol's concepts.
        texts (Texts): the protocol's texts.
        words (list[str]): the protocol's words, spoken beside the labels.
        without (frozenset[str]): names of concepts that are neither trained on nor answered with.
    """

    def __init__(
        self,
        name: str,
        settings: ReferenceSettings,
        run: Run,
        corpus_dir: Path,
        concepts: list[Concept],
        texts: Texts,
        words: list[str],
        without: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(name, settings, run)
        self._settings, self._corpus_dir = settings, corpus_dir
        self._concepts, self._texts, self._words, self._without = concepts, texts, words, without
        self._tokenizer = train_tokenizer(concepts)

    def open(self) -> list[Path]:
        """Read the packed arrays."""
        self._data = open_corpus(
            self._corpus_dir, self._concepts, self._texts, self._words, self._tokenizer, self.settings.seed + 1,
            self._without,
        )  # fmt: skip
        return [self._corpus_dir / "arrays", self._corpus_dir / "words"]

    def fit(self, queue: Queue[Any] | None) -> None:
        """Train the branches, then the fusion on top of them."""
        data, settings = self._data, self._settings
        dimensions = NetworkDimensions(len(data.concepts), self._tokenizer.get_vocab_size(), data.n_phones)
        job = Job(
            self._corpus_dir, self._concepts, self._texts, self._words, self._without, self._tokenizer.to_str(),
            dimensions, settings, self.run,
        )  # fmt: skip
        torch.manual_seed(settings.seed)
        self._network = ReferenceNetwork(dimensions, settings.dropout)
        for lane, weights in train_branches(job, queue).items():
            self._network.branches[lane].load_state_dict(weights)
        train_fusion(self._network, data, settings, self.run)

    def manifest(self) -> ModelManifest:
        """Name, sizes, labels and settings."""
        labels, labels_zh = ([getattr(c, key) for c in self._data.concepts] for key in ("label", "label_zh"))
        training = msgspec.to_builtins(self.settings)
        return ModelManifest(self.name, VERSION, self._network.dimensions, labels, labels_zh, {}, training)

    def save(self, manifest: ModelManifest) -> ModelManifest:
        """Write weights, tokenizer and `model.json`."""
        return save_checkpoint(self.run.out, self._network, self._tokenizer.to_str(), manifest)


def train_fusion(
    network: ReferenceNetwork,
    data: TrainingData,
    settings: ReferenceSettings,
    run: Run | None,
    pair: Lanes | None = None,
) -> None:
    """Calibrate the branches, train the Transformer on top, and calibrate all for each kind of set.

    Args:
        network (ReferenceNetwork): the network with its trained branches.
        data (TrainingData): what is trained and validated on.
        settings (ReferenceSettings): the settings of the run.
        run (Run | None): the run that it is a part of; None: it cannot be resumed.
        pair (Lanes | None): the only lanes that a specialist gets.
    """
    torch.manual_seed(settings.seed)  # the same draws whether this process trained branches too or not
    network.requires_grad_(False)
    features, has_text = validation_features(network, data.validation), data.validation.has_text
    calibrate_alone(network, features, has_text)
    network.fusion.requires_grad_(True)
    network.shared.requires_grad_(True)
    network.shares.requires_grad_(True)
    budget = Budget(settings.seconds("fusion"), settings.n_steps("fusion"))
    task = FusionTask(network, data, settings, pair)  # encodes for a while: that is in the budget too

    def look(module: torch.nn.Module) -> dict[str, float]:
        assert isinstance(module, ReferenceNetwork)  # noqa: S101  # nosec B101  # for the type checker
        return fusion_accuracy(module, features, has_text)

    Phase("fusion", network, budget, settings, run).run(task.loss, lambda: task.last, look)
    network.requires_grad_(False)
    network.shares.most[1] *= SOUNDS_COUNT
    calibrate(network, features, has_text, pair)
    log.info("trust by kind of set %s, validation %s", network.trust.round(decimals=3).tolist(), as_line(look(network)))
