"""Trains the reference model from the corpus to a folder: branches, fusion, trust, weights, log, learning curve."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import msgspec
import torch

from models.evaluation.protocol import Concept, Texts
from models.reference.checkpoint import ModelManifest, save_checkpoint
from models.reference.network import NetworkDimensions, ReferenceNetwork
from models.training import parallel
from models.training.budget import Budget
from models.training.curve import as_line, draw_curves
from models.training.display import Display, log_to
from models.training.loop import Phase
from models.training.reference.calibrate import Lanes, calibrate, calibrate_alone, fusion_accuracy
from models.training.reference.data import TrainingData, open_corpus
from models.training.reference.encode import validation_features
from models.training.reference.fuse import FusionTask
from models.training.reference.parallel_training import Job, train_branches
from models.training.reference.sources import train_tokenizer
from models.training.run_folder import CHECKPOINT_S, LOG, Run, begin, finish, identity_of, occupy
from models.training.settings import TrainSettings
from models.training.watch import is_installed

log = logging.getLogger("models.training")
VERSION = "4"
SOUNDS_COUNT = 2.0
"""How many times what was learned a set's sound counts in its embedding: in the end all words of the training are known
ones. On validation more of 100 labels that nobody taught are found with it by speech, 0.66 and not 0.53."""


def train(
    name: str,
    out: Path,
    corpus_dir: Path,
    concepts: list[Concept],
    texts: Texts,
    words: list[str],
    settings: TrainSettings,
    without: frozenset[str] = frozenset(),
    *,
    resume: bool | None = None,
    checkpoint_s: float = CHECKPOINT_S,
    checkpoint_steps: int = 0,
) -> ModelManifest:
    """Train and write `out`; its `train.log` grows meanwhile, and checkpoints from which a stopped run goes on.

    words: what else is spoken. without: names of the concepts that are not trained on, nor answered with.
    resume: None goes on with an unfinished run of the same settings, True wants one, False begins anew.
    checkpoint_s, checkpoint_steps: how often a checkpoint is written, by the clock or, where not 0, by steps. Raises
    SettingsError where the corpus is not there, or the folder holds another unfinished run.
    """
    run = Run(out, checkpoint_s, checkpoint_steps, is_installed())
    out.mkdir(parents=True, exist_ok=True)
    with occupy(out, alone=True) if parallel.is_first() else nullcontext():
        log_to(out / LOG)
        started_s = time.monotonic()
        torch.set_num_threads(1)
        tokenizer = train_tokenizer(concepts)
        data = open_corpus(corpus_dir, concepts, texts, words, tokenizer, settings.seed + 1, without)
        dimensions = NetworkDimensions(len(data.concepts), tokenizer.get_vocab_size(), data.n_phones)
        if parallel.is_first():
            read = [corpus_dir / "arrays", corpus_dir / "words"]
            begin(run, identity_of(name, settings, read, str(torch.__version__)), resume)
        job = Job(corpus_dir, concepts, texts, words, without, tokenizer.to_str(), dimensions, settings, run)
        with Display() as display:
            network = _train_network(job, data, display.queue)
        log_to(out / LOG)
        log.info("trained in %.0f s", time.monotonic() - started_s)
        manifest = _manifest(name, network, data.concepts, settings)
        if parallel.is_first():
            manifest = save_checkpoint(out, network, tokenizer.to_str(), manifest)
            finish(run)
        return manifest


def _train_network(job: Job, data: TrainingData, queue: Queue[Any] | None) -> ReferenceNetwork:
    log_to(job.run.out / LOG)
    torch.manual_seed(job.settings.seed)
    network = ReferenceNetwork(job.dimensions, job.settings.dropout)
    for lane, weights in train_branches(job, queue).items():
        network.branches[lane].load_state_dict(weights)
    train_fusion(network, data, job.settings, job.run)
    return network


def train_fusion(
    network: ReferenceNetwork, data: TrainingData, settings: TrainSettings, run: Run | None, pair: Lanes | None = None
) -> None:
    """First how far to trust each branch, then the Transformer on top, then all again, kind by kind of set.

    pair: the only lanes that a specialist is given. run: of which it is a part that can be gone on with, or None.
    """
    torch.manual_seed(settings.seed)  # the same draws whether this process trained branches too or not
    network.requires_grad_(False)
    features, has_text = validation_features(network, data.validation), data.validation.has_text
    calibrate_alone(network, features, has_text)
    network.fusion.requires_grad_(True)
    network.shared.requires_grad_(True)
    network.shares.requires_grad_(True)
    budget = Budget(settings.seconds("fusion"), settings.steps.fusion if settings.steps else None)
    task = FusionTask(network, data, settings, pair)  # encodes for a while: that is in the budget too

    def look(module: torch.nn.Module) -> dict[str, float]:
        assert isinstance(module, ReferenceNetwork)  # noqa: S101  # nosec B101  # for the type checker
        return fusion_accuracy(module, features, has_text)

    Phase("fusion", network, budget, settings, run).run(task.loss, lambda: task.last, look)
    if run is not None and parallel.is_first():
        draw_curves(run.out)
    network.requires_grad_(False)
    network.shares.most[1] *= SOUNDS_COUNT
    calibrate(network, features, has_text, pair)
    log.info("trust by kind of set %s, validation %s", network.trust.round(decimals=3).tolist(), as_line(look(network)))


def _manifest(name: str, network: ReferenceNetwork, concepts: list[Concept], settings: TrainSettings) -> ModelManifest:
    return ModelManifest(
        name, VERSION, network.dimensions, [c.label for c in concepts], [c.label_zh for c in concepts], {},
        msgspec.to_builtins(settings),
    )  # fmt: skip
