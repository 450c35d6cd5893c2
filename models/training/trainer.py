"""Trains the reference model from the corpus to a folder: branches, fusion, trust, weights, log."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import msgspec
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from models.protocol import Concept, Texts
from models.reference.checkpoint import Manifest, save_checkpoint
from models.reference.network import Dimensions, ReferenceNetwork
from models.training.branches import Job, named, train_branches
from models.training.budget import Budget
from models.training.calibrate import SUBSETS, Lanes, calibrate, fusion_accuracy
from models.training.data import TrainingData, open_corpus
from models.training.encode import validation_features
from models.training.fuse import FusionTask
from models.training.loop import Phase, log_to
from models.training.settings import TrainSettings
from models.training.words import train_tokenizer

log = logging.getLogger("models.training")
VERSION = "2"
BRANCHES = "branches.safetensors"


def train(
    name: str,
    out: Path,
    corpus_dir: Path,
    concepts: list[Concept],
    texts: Texts,
    words: list[str],
    settings: TrainSettings,
    without: frozenset[str] = frozenset(),
) -> Manifest:
    """Train and write `out`; its `train.log` grows meanwhile. Raises SettingsError where the corpus is not there.

    words: what else is spoken. without: names of the concepts that are not trained on, nor answered with.
    """
    out.mkdir(parents=True, exist_ok=True)
    log_to(out / "train.log")
    started_s = time.monotonic()
    tokenizer = train_tokenizer(concepts)
    torch.set_num_threads(1)
    data = open_corpus(corpus_dir, concepts, texts, words, tokenizer, settings.seed + 1, without)
    dimensions = Dimensions(len(data.concepts), tokenizer.get_vocab_size(), data.n_phones)
    log.info("training %s: %s", name, msgspec.json.encode(settings).decode())
    job = Job(corpus_dir, concepts, texts, words, without, tokenizer.to_str(), dimensions, settings, out / "train.log")
    torch.manual_seed(settings.seed)
    network = ReferenceNetwork(dimensions, settings.dropout)
    for lane, weights in train_branches(job).items():
        network.branches[lane].load_state_dict(weights)
    branches = {key: tensor.contiguous() for key, tensor in network.branches.state_dict().items()}
    save_file(branches, out / BRANCHES)  # most of the time went into them: kept, should what follows fail
    train_fusion(network, data, settings)
    log.info("trained in %.0f s", time.monotonic() - started_s)
    return _save(name, out, network, tokenizer, data.concepts, settings)


def train_fusion(
    network: ReferenceNetwork, data: TrainingData, settings: TrainSettings, pair: Lanes | None = None
) -> None:
    """First how far to trust each branch, then the Transformer on top, then all again, with the Transformer.

    pair: the only lanes that a specialist is given.
    """
    network.requires_grad_(False)
    features, has_text = validation_features(network, data.validation), data.validation.has_text
    calibrate(network, features, has_text, slice(0, 3), with_fusion=False)
    network.trust_alone.copy_(network.trust[:3])
    network.fusion.requires_grad_(True)
    network.shared.requires_grad_(True)
    budget = Budget(settings.seconds("fusion"), settings.steps.fusion if settings.steps else None)
    task = FusionTask(network, data, settings, pair)  # encodes for a while: that is in the budget too

    def look(module: torch.nn.Module) -> str:
        assert isinstance(module, ReferenceNetwork)  # noqa: S101  # nosec B101  # for the type checker
        accuracy = fusion_accuracy(module, features, has_text)
        return " ".join(f"{kind} {value:.3f}" for kind, value in accuracy.items())

    Phase("fusion", network, budget, settings).run(task.loss, lambda: named(task.last), look)
    network.requires_grad_(False)
    calibrate(network, features, has_text, slice(0, 4), subsets=[pair] if pair else SUBSETS)
    log.info("trust %s, validation %s", [round(t, 3) for t in network.trust.tolist()], look(network))


def _save(
    name: str,
    out: Path,
    network: ReferenceNetwork,
    tokenizer: Tokenizer,
    concepts: list[Concept],
    settings: TrainSettings,
) -> Manifest:
    manifest = Manifest(
        name, VERSION, network.dimensions, [c.label for c in concepts], [c.label_zh for c in concepts], {},
        msgspec.to_builtins(settings),
    )  # fmt: skip
    return save_checkpoint(out, network, tokenizer.to_str(), manifest)
