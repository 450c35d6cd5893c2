"""Trains the branches in two processes of one thread each: pictures in one, text and then speech in the other.

Two threads in one operation wait for each other at every step; two processes share two cores without waiting, also
beside other work, and one thread adds up in one order, so that a run repeats to the bit.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from models.protocol import Concept, Texts
from models.reference.network import Branch, Dimensions
from models.training.budget import Budget
from models.training.data import open_corpus
from models.training.encode import TASKS, BranchTask, accuracy_alone
from models.training.loop import Phase, log_to
from models.training.settings import TrainSettings

GROUPS = (("image",), ("text", "audio"))


class Job(msgspec.Struct):
    """What a process is told; its parts can be sent to another process."""

    corpus_dir: Path
    concepts: list[Concept]
    texts: Texts
    words: list[str]
    without: frozenset[str]
    tokenizer_json: str
    dimensions: Dimensions
    settings: TrainSettings
    log_path: Path


def train_branches(job: Job) -> dict[str, dict[str, Tensor]]:
    """Train all branches; lane -> weights."""
    with ProcessPoolExecutor(len(GROUPS), mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(train_lanes, job, group) for group in GROUPS]
        return {lane: weights for future in futures for lane, weights in future.result().items()}


def train_lanes(job: Job, lanes: Sequence[str]) -> dict[str, dict[str, Tensor]]:
    """Train some branches one after the other; runs in a process of its own."""
    log_to(job.log_path)
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_str(job.tokenizer_json)
    data = open_corpus(job.corpus_dir, job.concepts, job.texts, job.words, tokenizer, job.settings.seed, job.without)
    out: dict[str, dict[str, Tensor]] = {}
    for lane in lanes:
        torch.manual_seed(job.settings.seed)
        branch = Branch(lane, job.dimensions, job.settings.dropout)
        task = TASKS[lane](branch, data, job.settings)
        steps = job.settings.steps
        budget = Budget(job.settings.seconds(lane), getattr(steps, lane) if steps else None)

        def look(module: nn.Module, lane: str = lane) -> str:
            assert isinstance(module, Branch)  # noqa: S101  # nosec B101  # for the type checker
            return f"{accuracy_alone(module, lane, data.validation):.3f}"

        def losses(task: BranchTask = task) -> str:
            return named(task.last)

        Phase(lane, branch, budget, job.settings).run(task.loss, losses, look)
        out[lane] = branch.state_dict()
    return out


def named(losses: dict[str, float]) -> str:
    """The parts of a loss, for the log."""
    return " ".join(f"{name} {value:.3f}" for name, value in losses.items())
