"""Trains the branches in two processes of one thread each: pictures in one, text and then speech in the other.

Two threads in one operation wait for each other at every step; two processes share two cores without waiting, also
beside other work, and one thread adds up in one order, so that a run repeats to the bit. Under `torchrun` the processes
are there already: each branch is trained by all of them, one branch after the other.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import msgspec
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from models.evaluation.protocol import Concept, Texts
from models.reference.network import Branch, NetworkDimensions
from models.training import parallel
from models.training.budget import Budget
from models.training.display import log_to, report_to
from models.training.loop import Phase
from models.training.reference.data import open_corpus
from models.training.reference.encode import TASKS, BranchTask, accuracy_alone
from models.training.run_folder import LOG, Run, end_with_parent, occupy
from models.training.settings import ReferenceSettings

GROUPS = (("image",), ("text", "audio"))


class Job(msgspec.Struct):
    """What a process needs to train branches; can be sent to another process."""

    corpus_dir: Path
    concepts: list[Concept]
    texts: Texts
    words: list[str]
    without: frozenset[str]
    tokenizer_json: str
    dimensions: NetworkDimensions
    settings: ReferenceSettings
    run: Run


def train_branches(job: Job, queue: Queue[Any] | None = None) -> dict[str, dict[str, Tensor]]:
    """Train all branches. Returns lane to weights. `queue`: of the display."""
    if parallel.world_size() > 1:
        return train_lanes(job, [lane for group in GROUPS for lane in group])
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(GROUPS), spawn, _enter, (job.run, queue, parallel.device().type)) as pool:
        futures = [pool.submit(train_lanes, job, group) for group in GROUPS]
        return {lane: weights for future in futures for lane, weights in future.result().items()}


def _enter(run: Run, queue: Queue[Any] | None, device: str) -> None:
    """Set up a process of the run."""
    end_with_parent()
    _Held.folder = occupy(run.out, alone=False)
    parallel.start(device)
    report_to(queue)


class _Held:
    """Keeps the folder's lock open."""

    folder: object = None


def train_lanes(job: Job, lanes: Sequence[str]) -> dict[str, dict[str, Tensor]]:
    """Train branches one after the other, in a process of their own or in all of `torchrun`'s."""
    log_to(job.run.out / LOG)
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_str(job.tokenizer_json)
    data = open_corpus(job.corpus_dir, job.concepts, job.texts, job.words, tokenizer, job.settings.seed, job.without)
    out: dict[str, dict[str, Tensor]] = {}
    for lane in lanes:
        torch.manual_seed(job.settings.seed)
        branch = Branch(lane, job.dimensions, job.settings.dropout)
        task = TASKS[lane](branch, data, job.settings)
        at_once = 1 if parallel.world_size() == 1 else len(GROUPS)  # what else is trained at the same time, is not now
        budget = Budget(job.settings.seconds(lane) / at_once, job.settings.n_steps(lane))

        def look(module: nn.Module, lane: str = lane) -> dict[str, float]:
            assert isinstance(module, Branch)  # noqa: S101  # nosec B101  # for the type checker
            return {lane: accuracy_alone(module, lane, data.validation)}

        def losses(task: BranchTask = task) -> dict[str, float]:
            return task.last

        Phase(lane, branch, budget, job.settings, job.run).run(task.loss, losses, look)
        out[lane] = branch.state_dict()
    return out
