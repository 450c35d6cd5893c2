"""`syncline model train|evaluate|list`: the models, from the corpus to the card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models import registry
from syncline.cli.model_evaluate import evaluate

app = typer.Typer(no_args_is_help=True, help="Train, evaluate or list models.")
app.command()(evaluate)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="What the model calls itself in results.")] = "reference",
    seed: Annotated[int, typer.Option(help="Draws weights, batches and changes of media.")] = 1,
    minutes: Annotated[float, typer.Option(help="Wall time, on 2 cores.")] = 28.0,
    out: Annotated[Path | None, typer.Option(help="Folder to write. Default: runs/NAME.")] = None,
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus, as `make corpus` builds it.")] = Path("corpus"),
    held_out: Annotated[bool, typer.Option(help="Leave the protocol's 100 zero-shot concepts out.")] = False,
    steps: Annotated[
        str, typer.Option(help="IMAGE,TEXT,AUDIO,FUSION steps instead of the clock: repeats to the bit.")
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
    """Train a model of the reference kind; progress on stderr and in OUT/train.log.

    A run that was stopped, also by kill -9, goes on from its last checkpoint when the same command is given again.
    Data-parallel: torchrun --nproc-per-node N -m syncline model train ... See docs/training.md.
    """
    from models import protocol
    from models.training import parallel
    from models.training.settings import TrainSettings, parse_steps
    from models.training.trainer import train as run
    from syncline.errors import SettingsError

    if checkpoint_minutes < 0:
        raise SettingsError("--checkpoint-minutes", checkpoint_minutes, "a number of at least 0")
    folder = out or Path("runs") / name
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
            resume=resume, checkpoint_s=checkpoint_minutes * 60,
        )  # fmt: skip
        if parallel.is_first():
            typer.echo(f"written: {folder}; next: syncline model evaluate {folder}")
    finally:
        parallel.stop()


@app.command("list")
def list_models() -> None:
    """The models that come with the repository, and what is known of them."""
    for name in registry.names():
        typer.echo(f"{name:<12} {registry.describe(name)}")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Weights as a torch pickle: .pt, .pth, .bin, .ckpt.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
) -> None:
    """Convert pickled weights to safetensors, which hold no programs; nothing in the pickle is run."""
    from models.adapters.convert import convert as run

    done = run(source, target)
    typer.echo(f"written: {done.path}, {done.n_tensors} tensors, {done.n_bytes:,} bytes")
    typer.echo(f"sha256 for model.json: {done.sha256}")
