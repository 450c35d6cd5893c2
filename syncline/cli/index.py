"""`syncline index`: keep a local vector index of fused results, for `syncline search`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from syncline.cli.options import with_client_settings
from syncline.consumer import ResultConsumer
from syncline.index.indexing import Indexed, IndexingReport, in_words, index_results
from syncline.index.store import Index
from syncline.kafka.settings import ClientSettings
from syncline.wire.contract import FUSED

app = typer.Typer(add_completion=False)
DEFAULT_FOLDER = Path("syncline-index")
IndexFolder = Annotated[Path, typer.Option("--index", file_okay=False, help="Folder of the index.")]


@app.command()
@with_client_settings()
def index(
    *,
    settings: ClientSettings,
    folder: IndexFolder = DEFAULT_FOLDER,
    once: Annotated[bool, typer.Option("--once", help="End when all present results have been read.")] = False,
    group: Annotated[
        str, typer.Option(help="Consumer group. Default: one of the index's own, so a new index reads all.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts at the end as one JSON object.")] = False,
) -> None:
    """Index fused results as they come, until Ctrl-C or, with --once, until all have been read.

    It resumes where it stopped. Results are on disk before their offsets are committed, and a repeat is stored once:
    stopping it at any moment loses nothing.
    """
    prefix = settings.topic_prefix
    with Index.create(folder, prefix) as opened:
        group = group or f"{prefix}index-{opened.id}"
        results = ResultConsumer(
            settings.brokers, (FUSED,), topic_prefix=prefix, group_id=group, security=settings.security
        )
        counts = Indexed()
        try:
            asyncio.run(_index(results, opened, counts, once, f"{prefix}{FUSED} into {folder}, group {group}"))
        except KeyboardInterrupt:
            typer.echo(in_words(counts), err=True)
            raise
    typer.echo(msgspec.json.encode(counts).decode() if as_json else in_words(counts))


async def _index(results: ResultConsumer, opened: Index, counts: Indexed, once: bool, what: str) -> None:
    def say(line: str) -> None:
        typer.echo(line, err=True)

    async with results:
        say(f"indexing {what}")
        await index_results(results, opened, counts, once=once, on_progress=IndexingReport(say))
