"""`syncline worker`: run one worker."""

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
        bool, typer.Option("--show-config", help="Print every setting with its value and source, and exit.")
    ] = False,
) -> None:
    """Run one worker until SIGTERM or Ctrl-C; a second one ends it at once.

    Flags override SYNCLINE_* variables, which override syncline.toml. Each setting below has its default, its variable
    and its key in the file; docs/settings.md lists all.
    """
    if show_config:
        for line in loaded.lines():
            typer.echo(line)
        return
    from streams.worker.process import run_worker

    run_worker(loaded.settings)
