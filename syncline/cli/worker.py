"""`syncline worker`: one worker. Every setting is a flag, a SYNCLINE_ variable and a line of syncline.toml."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.settings import WorkerSettings
from syncline.cli.options import with_settings
from syncline.settings.config import Loaded

app = typer.Typer(add_completion=False)


@app.command()
@with_settings(WorkerSettings)
def worker(
    *,
    loaded: Loaded[WorkerSettings],
    show_config: Annotated[
        bool, typer.Option("--show-config", help="Print every setting, its value and where it came from, and exit.")
    ] = False,
) -> None:
    """Run one worker until SIGTERM or Ctrl-C; a second one ends it at once.

    Flags go before SYNCLINE_* variables, and those before syncline.toml. After each setting stand its default, its
    variable and its key in the file; docs/settings.md has all in one table.
    """
    if show_config:
        for line in loaded.lines():
            typer.echo(line)
        return
    from streams.worker.process import run_worker

    run_worker(loaded.settings)
