"""`syncline model train|evaluate|list|convert`: the models, from the corpus to the card."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

from models import registry
from syncline.cli.progress import show_progress
from syncline.errors import SettingsError


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MANIFEST.jsonl|MODEL",
            help="JSON lines with id and any of image, audio (paths), text, label, transcript, language; or the name "
            "or folder of a model, to score it on a split of the corpus.",
        ),
    ] = "reference",
    model: Annotated[
        str | None, typer.Option(help="With a manifest: name or folder of the model. Default: reference.")
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="With a manifest: labels, retrieval or transcript; may be given again. Default: all that it allows."
        ),
    ] = None,
    convert: Annotated[
        str | None, typer.Option(help="With a manifest: what transcribes, such as transcript=whisper:FOLDER.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="With a model: validation (default) to choose by; test once, at the end.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="With a model: language of the texts, en (default) or zh.")
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="With a model: folder of the corpus. Default: corpus.")] = None,
    json_path: Annotated[
        Path | None,
        typer.Option(
            "--json", "--out", help="Write the report there as JSON as well; - prints JSON, and nothing else."
        ),
    ] = None,
) -> None:
    """Say how well a model does, with 95 % intervals: accuracy, retrieval, word and character error rates.

    Files that cannot be used are named and counted; a wrong line of the manifest ends with exit code 2. Exit code 1
    where nothing could be scored. See docs/evaluation.md.
    """
    if what.endswith(".jsonl"):
        _refuse(
            "a MODEL in the place of the manifest", **{"--split": split, "--language": language, "--corpus": corpus}
        )
        _on_manifest(Path(what), model or "reference", task or [], convert or "transcript", json_path)
    else:
        _refuse("a MANIFEST.jsonl before it", **{"--model": model, "--task": task, "--convert": convert})
        _on_split(what, split or "validation", language or "en", corpus or Path("corpus"), json_path)


def _refuse(takes: str, **options: object) -> None:
    for name, value in options.items():
        if value:
            raise SettingsError(name, str(value), takes)


def _on_manifest(path: Path, model: str, tasks: list[str], convert: str, json_path: Path | None) -> None:
    from models.evaluation.report import as_text
    from models.evaluation.run import evaluate_manifest

    report = evaluate_manifest(path, model, tasks, convert, show_progress)
    _give(report, as_text(report), json_path)
    if not report.has_figures():
        typer.echo("nothing could be scored", err=True)
        raise typer.Exit(1)


def _on_split(model: str, split: str, language: str, corpus: Path, json_path: Path | None) -> None:
    from models.evaluation import protocol
    from models.training.reference import evaluate as evaluation

    if split not in protocol.SPLITS[1:]:
        raise SettingsError("--split", split, ", ".join(protocol.SPLITS[1:]))
    style, voice = next(iter(protocol.styles(split))), next(iter(protocol.voices(split)))
    texts = evaluation.texts_of(protocol.texts(), language)
    opened = registry.load(model)
    media = evaluation.read_media(opened, corpus, protocol.concepts(), texts, style, voice)
    about = {"split": split, "style": style, "voice": voice, "language": language}
    report = evaluation.evaluate(opened, media, protocol.concepts(), about)
    _give(report, evaluation.as_text(report), json_path)


def _give(report: msgspec.Struct, text: str, json_path: Path | None) -> None:
    data = msgspec.json.format(msgspec.json.encode(report), indent=1)
    if json_path == Path("-"):
        typer.echo(data.decode())
        return
    typer.echo(text)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_bytes(data + b"\n")


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
    """The options of every training."""

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
    from models.evaluation import protocol
    from models.training import parallel
    from models.training.reference.trainer import train as run
    from models.training.settings import TrainSettings, parse_steps

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
    from models.training.synthesis.settings import SynthesisSettings, parse_steps
    from models.training.synthesis.voice import train_synthesis

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
    return f"python -m models.training.synthesis evaluate --model {given.folder}"


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
