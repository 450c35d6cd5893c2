"""`syncline model train NAME`: the models that fuse, and the voice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from syncline.errors import SettingsError

SYNTHESIS = "synthesis"
SYNTHESIS_MINUTES, FUSION_MINUTES = 48.0, 32.0


def train(
    name: Annotated[
        str, typer.Argument(help="synthesis is the voice; any other name a model that fuses, called so in results.")
    ] = "reference",
    seed: Annotated[int, typer.Option(help="Draws weights, batches and changes of media.")] = 1,
    minutes: Annotated[float | None, typer.Option(help="Wall time, on 2 cores. Default: 32; of synthesis 48.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write. Default: runs/NAME.")] = None,
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus, as `make corpus` builds it.")] = Path("corpus"),
    held_out: Annotated[bool, typer.Option(help="Leave the protocol's 100 zero-shot concepts out.")] = False,
    steps: Annotated[
        str,
        typer.Option(
            help="Steps instead of the clock: repeats to the bit. IMAGE,TEXT,AUDIO,FUSION; of synthesis SPELLING,VOICE."
        ),
    ] = "",
    patience: Annotated[
        int, typer.Option(help="End a part after so many looks at validation without a better one; 0: never.")
    ] = 0,
    resume: Annotated[
        bool | None,
        typer.Option(
            "--resume/--fresh",
            help="Insist on going on with the unfinished run in the folder, or throw it away. Default: go on with it "
            "where there is one of the same settings.",
        ),
    ] = None,
    checkpoint_minutes: Annotated[float, typer.Option(help="How often a checkpoint is written.")] = 2.0,
    device: Annotated[str, typer.Option(help="cpu, or cuda: one GPU for each process of torchrun.")] = "cpu",
) -> None:
    """Train a model; progress on stderr and in OUT/train.log.

    A run that was stopped, also by kill -9, goes on from its last checkpoint when the same command is given again.
    Data-parallel: torchrun --nproc-per-node N -m syncline model train ... See docs/training.md.
    """
    if checkpoint_minutes < 0:
        raise SettingsError("--checkpoint-minutes", checkpoint_minutes, "a number of at least 0")
    given = Given(
        out or Path("runs") / name,
        corpus,
        seed,
        (SYNTHESIS_MINUTES if name == SYNTHESIS else FUSION_MINUTES) if minutes is None else minutes,
        steps,
        patience,
        resume,
        checkpoint_minutes * 60,
    )
    if name == SYNTHESIS:
        then = _train_synthesis(given, held_out=held_out, device=device)
    else:
        then = _train_fusion(name, given, held_out=held_out, device=device)
    if then:
        typer.echo(f"written: {given.folder}; next: {then}")


class Given(NamedTuple):
    """What every training is told."""

    folder: Path
    corpus: Path
    seed: int
    minutes: float
    steps: str
    patience: int
    resume: bool | None
    checkpoint_s: float


def _train_fusion(name: str, given: Given, *, held_out: bool, device: str) -> str:
    """What to do next; "" in all processes of torchrun but the first."""
    from models import protocol
    from models.training import parallel
    from models.training.settings import TrainSettings, parse_steps
    from models.training.trainer import train as run

    settings = TrainSettings(
        seed=given.seed,
        minutes=given.minutes,
        steps=parse_steps(given.steps) if given.steps else None,
        held_out=held_out,
        patience=given.patience,
    )
    without = frozenset(protocol.held_out().names if held_out else ())
    texts, words = protocol.texts(), protocol.words()
    parallel.start(device)
    try:
        run(
            name, given.folder, given.corpus, protocol.concepts(), texts, words, settings, without,
            resume=given.resume, checkpoint_s=given.checkpoint_s,
        )  # fmt: skip
        return f"syncline model evaluate {given.folder}" if parallel.is_first() else ""
    finally:
        parallel.stop()


def _train_synthesis(given: Given, *, held_out: bool, device: str) -> str:
    from models.synthesis_training.settings import SynthesisSettings, parse_steps
    from models.synthesis_training.trainer import train_synthesis

    if held_out:
        raise SettingsError("--held-out", True, "a model that fuses: synthesis has no concepts to leave out")
    if device != "cpu" or os.environ.get("WORLD_SIZE", "1") != "1":
        raise SettingsError(SYNTHESIS, f"--device {device}", "one process on the CPU: it is not trained data-parallel")
    settings = SynthesisSettings(
        seed=given.seed,
        minutes=given.minutes,
        steps=parse_steps(given.steps) if given.steps else None,
        patience=given.patience,
    )
    train_synthesis(
        SYNTHESIS, given.folder, given.corpus, settings, resume=given.resume, checkpoint_s=given.checkpoint_s
    )
    return f"python -m models.synthesis_training evaluate --model {given.folder}"
