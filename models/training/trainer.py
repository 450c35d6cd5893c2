"""The one way to train a model to a folder: hold the folder, go on or begin, show progress, train, save, clean up."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import torch

from models.training import parallel
from models.training.curve import draw_curves
from models.training.display import Display, log, log_to
from models.training.run_folder import LOG, Run, begin, finish, has_tensorboard, identity_of, occupy
from models.training.settings import TrainSettings

Manifest = TypeVar("Manifest")


class Trainer(ABC, Generic[Manifest]):
    """Trains a kind of model. Kinds differ in `open`, `fit`, `manifest` and `save`.

    Args:
        name (str): the model's name in results.
        settings (TrainSettings): of the run.
        run (Run): the folder to write, and how often it gets a checkpoint. TensorBoard logs are written where it is
            installed.
    """

    def __init__(self, name: str, settings: TrainSettings, run: Run) -> None:
        self.name, self.settings = name, settings
        self.run = msgspec.structs.replace(run, tensorboard=has_tensorboard())

    @abstractmethod
    def open(self) -> Sequence[Path]:
        """Read what is trained on. Returns the folders whose files tell this corpus from others."""

    @abstractmethod
    def fit(self, queue: Queue[Any] | None) -> None:
        """Run all phases. `queue`: where other processes of the run send their progress."""

    @abstractmethod
    def manifest(self) -> Manifest:
        """Describe the trained model."""

    @abstractmethod
    def save(self, manifest: Manifest) -> Manifest:
        """Write the trained model. Returns the manifest with the files' digests."""

    def train(self, resume: bool | None = None) -> Manifest:
        """Train, and write the model to the run's folder.

        Args:
            resume (bool | None): None goes on with an unfinished run of the same settings, True insists on one, False
                throws it away.

        Raises:
            SettingsError: the corpus is missing, another run is unfinished in the folder, or one is at work there.
        """
        out = self.run.out
        out.mkdir(parents=True, exist_ok=True)
        with occupy(out, alone=True) if parallel.is_first() else nullcontext(), Display() as display:
            log_to(out / LOG)
            started_s = time.monotonic()
            torch.set_num_threads(1)
            corpus = self.open()
            if parallel.is_first():
                begin(self.run, identity_of(self.name, self.settings, corpus, str(torch.__version__)), resume)
            self.fit(display.queue)
            log.info("trained in %.0f s", time.monotonic() - started_s)
            manifest = self.manifest()
            if parallel.is_first():
                draw_curves(out)
                manifest = self.save(manifest)
                finish(self.run)
            return manifest
