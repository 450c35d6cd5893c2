"""`syncline model train|evaluate|list`: the models, from the corpus to the card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from models import registry

app = typer.Typer(no_args_is_help=True, help="Train, evaluate or list models.")

Corpus = Annotated[Path, typer.Option(help="Folder of the corpus, as `make corpus` builds it.")]


@app.command()
def train(
    name: Annotated[
        str, typer.Argument(help="synthesis is the voice; any other name a model that fuses, called so in results.")
    ] = "reference",
    seed: Annotated[int, typer.Option(help="Draws weights, batches and changes of media.")] = 1,
    minutes: Annotated[float | None, typer.Option(help="Wall time, on 2 cores. Default: 28; of synthesis 48.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write. Default: runs/NAME.")] = None,
    corpus: Corpus = Path("corpus"),
    steps: Annotated[
        str,
        typer.Option(
            help="Steps instead of the clock: repeats to the bit. IMAGE,TEXT,AUDIO,FUSION; of synthesis SPELLING,VOICE."
        ),
    ] = "",
) -> None:
    """Train a model; progress on stderr and in OUT/train.log."""
    folder = out or Path("runs") / name
    trainer = TRAINERS.get(name, _train_fusion)
    then = trainer(name, folder, corpus, seed, minutes, steps)
    typer.echo(f"written: {folder}; next: {then}")


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


def _train_fusion(name: str, folder: Path, corpus: Path, seed: int, minutes: float | None, steps: str) -> str:
    from models import protocol
    from models.training.settings import TrainSettings, parse_steps
    from models.training.trainer import train as run

    settings = TrainSettings(
        seed=seed, minutes=28.0 if minutes is None else minutes, steps=parse_steps(steps) if steps else None
    )
    run(name, folder, corpus, protocol.concepts(), protocol.texts(), settings)
    return f"syncline model evaluate {folder}"


def _train_synthesis(name: str, folder: Path, corpus: Path, seed: int, minutes: float | None, steps: str) -> str:
    from models.synthesis_training.settings import SynthesisSettings, parse_steps
    from models.synthesis_training.trainer import train_synthesis

    settings = SynthesisSettings(
        seed=seed, minutes=48.0 if minutes is None else minutes, steps=parse_steps(steps) if steps else None
    )
    train_synthesis(name, folder, corpus, settings)
    return f"python -m models.synthesis_training evaluate --model {folder}"


TRAINERS: dict[str, Callable[[str, Path, Path, int, float | None, str], str]] = {"synthesis": _train_synthesis}
"""Name -> what trains it (name, folder, corpus, seed, minutes, steps) and says what to do next; others fuse."""


@app.command("list")
def list_models() -> None:
    """The models that come with the repository, and what is known of them."""
    for name in registry.names():
        typer.echo(f"{name:<12} {registry.describe(name)}")
