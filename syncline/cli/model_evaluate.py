"""`syncline model evaluate`: on a manifest of one's own files, or on a split of the corpus for the card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    from models import protocol
    from models.training import evaluate as evaluation

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
