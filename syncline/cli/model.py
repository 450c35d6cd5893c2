"""`syncline model train|evaluate|list`: the models, from the corpus to the card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from models import registry

app = typer.Typer(no_args_is_help=True, help="Train, evaluate or list models.")

Corpus = Annotated[Path, typer.Option(help="Folder of the corpus, as `make corpus` builds it.")]


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="What the model calls itself in results.")] = "reference",
    seed: Annotated[int, typer.Option(help="Draws weights, batches and changes of media.")] = 1,
    minutes: Annotated[float, typer.Option(help="Wall time, on 2 cores.")] = 28.0,
    out: Annotated[Path | None, typer.Option(help="Folder to write. Default: runs/NAME.")] = None,
    corpus: Corpus = Path("corpus"),
    steps: Annotated[
        str, typer.Option(help="IMAGE,TEXT,AUDIO,FUSION steps instead of the clock: repeats to the bit.")
    ] = "",
) -> None:
    """Train a model of the reference kind; progress on stderr and in OUT/train.log."""
    from models import protocol
    from models.training.settings import TrainSettings, parse_steps
    from models.training.trainer import train as run

    folder = out or Path("runs") / name
    settings = TrainSettings(seed=seed, minutes=minutes, steps=parse_steps(steps) if steps else None)
    run(name, folder, corpus, protocol.concepts(), protocol.texts(), settings)
    typer.echo(f"written: {folder}; next: syncline model evaluate {folder}")


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Name or folder.")] = "reference",
    split: Annotated[str, typer.Option(help="validation to choose by; test once, at the end.")] = "validation",
    language: Annotated[str, typer.Option(help="Language of the texts: en or zh.")] = "en",
    corpus: Corpus = Path("corpus"),
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Say how often the model finds the concept, for each lane, pair and all three."""
    from models import protocol
    from models.training import evaluate as evaluation
    from syncline.errors import SettingsError

    if split not in protocol.SPLITS[1:]:
        raise SettingsError("--split", split, ", ".join(protocol.SPLITS[1:]))
    style, voice = next(iter(protocol.styles(split))), next(iter(protocol.voices(split)))
    texts = evaluation.texts_of(protocol.texts(), language)
    opened = registry.load(model)
    media = evaluation.read_media(opened, corpus, protocol.concepts(), texts, style, voice)
    about = {"split": split, "style": style, "voice": voice, "language": language}
    report = evaluation.evaluate(opened, media, protocol.concepts(), about)
    data = msgspec.json.format(msgspec.json.encode(report), indent=1)
    if out is not None:
        out.write_bytes(data + b"\n")
    typer.echo(data.decode() if as_json else evaluation.as_text(report))


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
