"""`syncline model train|evaluate|list|convert`: the models, from the corpus to the card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models import registry
from syncline.cli.model_evaluate import evaluate
from syncline.cli.model_train import train

app = typer.Typer(no_args_is_help=True, help="Train, evaluate, list or convert models.")
app.command()(train)
app.command()(evaluate)


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
