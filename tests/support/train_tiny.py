"""A program that trains on the tiny corpus, for tests that kill it: `python -m tests.support.train_tiny OUT CORPUS`."""

from __future__ import annotations

import sys
from pathlib import Path

from models.training import parallel, watch
from models.training.reference.trainer import ReferenceTrainer
from models.training.run_folder import Run
from models.training.settings import PhaseSteps, ReferenceSettings
from tests.support.tiny_corpus import WORDS, tiny_concepts, tiny_texts

SETTINGS = ReferenceSettings(
    steps=PhaseSteps(7, 7, 7, 7), image_batch=4, audio_batch=4, text_batch=4, fusion_batch=8, learning_rate=1e-3
)

if __name__ in ("__main__", "__mp_main__"):  # the program, and the processes that it starts: a line at every step
    watch.LOG_EVERY_S = 0.0


def train(out: Path, corpus: Path, checkpoint_steps: int = 0) -> None:
    """Train, or go on where there is something to go on with."""
    run = Run(out, checkpoint_steps=checkpoint_steps)
    ReferenceTrainer("tiny", SETTINGS, run, corpus, tiny_concepts(), tiny_texts(), WORDS).train()


def main(out: str, corpus: str) -> None:
    """Train, with a checkpoint at every step."""
    parallel.start()
    train(Path(out), Path(corpus), checkpoint_steps=1)
    parallel.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
