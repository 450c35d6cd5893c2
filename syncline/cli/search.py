"""`syncline search`: find moments by words, a picture or a sound."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from syncline.cli.index import DEFAULT_FOLDER, IndexFolder
from syncline.cli.result_lines import MAX_LABELS, clock, printable
from syncline.deadletter.filter import parse_when
from syncline.errors import ContractError, SettingsError
from syncline.index.rows import pack
from syncline.index.store import MAX_LIMIT, Hit, Index, IndexedModel
from syncline.wire.contract import H_LANGUAGE
from syncline.wire.events import read_language
from syncline.wire.results import ModelInfo
from syncline.wire.timestamps import format_time

if TYPE_CHECKING:
    from models.interface import Model
    from models.query import Part


def json_line(hit: Hit) -> str:
    """Return a JSON object: the score and all that the index has of the result."""
    found = {"score": round(hit.score, 6)} | msgspec.to_builtins(hit.row)
    return msgspec.json.encode(found).decode()


def human_lines(hit: Hit) -> list[str]:
    """Return score, time, stream and labels, and below them the place of each member's record."""
    row = hit.row
    labels = ", ".join(f"{label} {score:.2f}" for label, score in row.labels[:MAX_LABELS])
    lines = [f"{hit.score:5.2f}  {format_time(row.start_ms)}  {row.stream}  {row.outcome}  {labels}".rstrip()]
    width = max((len(member.lane) for member in row.members), default=0)
    for member in row.members:
        place = f"{member.topic} {member.partition} {member.offset}"
        lines.append(f"       {clock(member.time_ms)}  {member.lane:<{width}}  {place}  {member.source}")
    return [printable(line) for line in lines]


app = typer.Typer(add_completion=False)
_WHEN = "RFC 3339, or how long ago (90s, 30m, 12h, 7d)."


@app.command()
def search(
    *,
    text: Annotated[str, typer.Argument(help="Words to search for.", show_default=False)] = "",
    image: Annotated[Path | None, typer.Option(help="A picture to search for.", exists=True, dir_okay=False)] = None,
    audio: Annotated[Path | None, typer.Option(help="A sound to search for.", exists=True, dir_okay=False)] = None,
    language: Annotated[str, typer.Option("--lang", help="Language of the words, such as en or zh.")] = "",
    stream: Annotated[str, typer.Option(help="Only moments of this stream.")] = "",
    since: Annotated[str, typer.Option(help=f"Only moments that begin at or after: {_WHEN}")] = "",
    until: Annotated[str, typer.Option(help=f"Only moments that begin before: {_WHEN}")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="Largest number of moments.")] = 10,
    model: Annotated[str, typer.Option(help="Name or folder. Default: the model of most results, if known.")] = "",
    folder: IndexFolder = DEFAULT_FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Find the moments most similar to words, a picture and a sound, taken together.

    Prints score (cosine, -1 to 1), time, stream and labels, and where the record of each member is, as `syncline
    explain` takes it. Only results of the same model are compared. Exit code 0 also where nothing is found.
    """
    parts = _parts(text, image, audio, language)
    now_ms = int(time.time() * 1_000)
    since_ms, until_ms = parse_when("--since", since, now_ms), parse_when("--until", until, now_ms)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise SettingsError("--until", until, "a time after --since")
    with Index.open(folder) as index:
        opened = _load_model(model, index.models(), folder)
        query = _embed(opened, parts)
        info = ModelInfo(opened.name, opened.version)
        hits = index.search(info, query, stream=stream, since_ms=since_ms, until_ms=until_ms, limit=limit)
        others = [held for held in index.models() if held.model != info]
    _print(hits, as_json)
    if not hits:
        typer.echo("nothing found: no result of this stream and time is in the index", err=True)
    if others:
        typer.echo(f"not compared, for their models are others: {', '.join(map(str, others))}", err=True)


def _parts(text: str, image: Path | None, audio: Path | None, language: str) -> list[Part]:
    from models.query import file_part, text_part

    if language and not text:
        raise SettingsError("--lang", language, "words beside it, whose language it is")
    parts = [text_part(text, _language(language))] if text else []
    parts += [file_part(modality, path) for modality, path in (("image", image), ("audio", audio)) if path is not None]
    if not parts:
        raise SettingsError("TEXT", text, "words to search for, or --image or --audio")
    return parts


def _language(language: str) -> str | None:
    if not language:
        return None
    try:
        return read_language({H_LANGUAGE: language.encode(errors="replace")})
    except ContractError as error:
        raise SettingsError("--lang", language, "BCP 47 such as en or zh-Hans") from error


def _load_model(name: str, held: list[IndexedModel], folder: Path) -> Model:
    """Return the named model, else the model of most results that exists here."""
    from models import registry

    if not held:
        raise SettingsError("--index", str(folder), "an index with results: `syncline index` has brought none yet")
    if name:
        return registry.load(name)
    for one in held:
        if one.model.name in registry.names():
            return registry.load(one.model.name)
    raise SettingsError("--model", "", f"the folder of the model that made the results: {', '.join(map(str, held))}")


def _embed(model: Model, parts: list[Part]) -> bytes:
    from models.query import embed

    return pack([float(number) for number in embed(model, parts)])


def _print(hits: list[Hit], as_json: bool) -> None:
    for hit in hits:
        for line in [json_line(hit)] if as_json else human_lines(hit):
            typer.echo(line)
