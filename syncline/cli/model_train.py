"""`syncline model train NAME`: the models that fuse, and the voice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syncline.errors import SettingsError

SYNTHESIS = "synthesis"
DEFAULT_MINUTES = {SYNTHESIS: 48.0}
FUSION_MINUTES = 28.0


def train(
    name: Annotated[
        str, typer.Argument(help="synthesis is the voice; any other name a model that fuses, called so in results.")
    ] = "reference",
    seed: Annotated[int, typer.Option(help="Draws weights, batches and changes of media.")] = 1,
    minutes: Annotated[float | None, typer.Option(help="Wall time, on 2 cores. Default: 28; of synthesis 48.")] = None,
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
    folder = out or Path("runs") / name
    limit = DEFAULT_MINUTES.get(name, FUSION_MINUTES) if minutes is None else minutes
    if name == SYNTHESIS:
        then = _train_synthesis(folder, corpus, seed, limit, steps)
    else:
        then = _train_fusion(
            name, folder, corpus, seed, limit, steps, held_out, patience, resume, checkpoint_minutes * 60, device
        )
    if then:
        typer.echo(f"written: {folder}; next: {then}")


def _train_fusion(
    name: str,
    folder: Path,
    corpus: Path,
    seed: int,
    minutes: float,
    steps: str,
    held_out: bool,
    patience: int,
    resume: bool | None,
    checkpoint_s: float,
    device: str,
) -> str:
    """What to do next; "" in all processes of torchrun but the first."""
    from models import protocol
    from models.training import parallel
    from models.training.settings import TrainSettings, parse_steps
    from models.training.trainer import train as run

    settings = TrainSettings(
        seed=seed,
        minutes=minutes,
        steps=parse_steps(steps) if steps else None,
        held_out=held_out,
        patience=patience,
    )
    without = frozenset(protocol.held_out().names if held_out else ())
    parallel.start(device)
    try:
        run(
            name, folder, corpus, protocol.concepts(), protocol.texts(), protocol.words(), settings, without,
            resume=resume, checkpoint_s=checkpoint_s,
        )  # fmt: skip
        return f"syncline model evaluate {folder}" if parallel.is_first() else ""
    finally:
        parallel.stop()


def _train_synthesis(folder: Path, corpus: Path, seed: int, minutes: float, steps: str) -> str:
    from models.synthesis_training.settings import SynthesisSettings, parse_steps
    from models.synthesis_training.trainer import train_synthesis

    settings = SynthesisSettings(seed=seed, minutes=minutes, steps=parse_steps(steps) if steps else None)
    train_synthesis(SYNTHESIS, folder, corpus, settings)
    return f"python -m models.synthesis_training evaluate --model {folder}"
