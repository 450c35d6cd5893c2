"""`syncline consume [TOPIC…]`: print results as they come."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import typer

from syncline.cli.options import with_client_settings
from syncline.cli.result_lines import human_line, json_line
from syncline.consumer import READABLE_TOPICS, ResultConsumer
from syncline.errors import SettingsError
from syncline.kafka.settings import ClientSettings
from syncline.wire.contract import FUSED

app = typer.Typer(add_completion=False)


@app.command()
@with_client_settings()
def consume(
    *,
    settings: ClientSettings,
    topics: Annotated[
        list[str] | None, typer.Argument(help=f"{', '.join(READABLE_TOPICS)}; default {FUSED}.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line; bytes are base64.")] = False,
    start: Annotated[
        Literal["earliest", "latest"], typer.Option("--from", help="Where to start reading.")
    ] = "earliest",
    max_results: Annotated[int, typer.Option("--max", help="End after this many results; 0: never.")] = 0,
    until_idle: Annotated[float, typer.Option(help="End after this many seconds without a result; 0: never.")] = 0.0,
    group: Annotated[str, typer.Option(help="Consumer group: its members share the results, and it resumes.")] = "",
) -> None:
    """Print results as they come, each once, until Ctrl-C or the given end."""
    if max_results < 0:
        raise SettingsError("--max", max_results, "an integer of at least 0")
    if not 0 <= until_idle < float("inf"):
        raise SettingsError("--until-idle", until_idle, "seconds from 0")
    results = ResultConsumer(
        settings.brokers,
        topics or (FUSED,),
        topic_prefix=settings.topic_prefix,
        group_id=group or None,
        start=start,
        security=settings.security,
    )
    asyncio.run(_print(results, as_json, max_results, until_idle or None))


async def _print(results: ResultConsumer, as_json: bool, max_results: int, idle_s: float | None) -> None:
    line = json_line if as_json else human_line
    async with results:
        try:
            while not max_results or results.progress.n_received < max_results:
                received = await results.receive(idle_s)
                if received is None:
                    break
                typer.echo(line(received))
        finally:
            progress = results.progress
            unreadable = f", {progress.n_unreadable} could not be read" if progress.n_unreadable else ""
            typer.echo(f"{progress.n_received} results, {progress.n_repeats} repeats dropped{unreadable}", err=True)
