"""`syncline worker`: one worker. Every setting is a flag, a SYNCLINE_ variable and a line of syncline.toml."""

from __future__ import annotations

import inspect

import typer

from syncline.cli.options import config_option, flag, load_worker_settings, setting_options

app = typer.Typer(add_completion=False)


def _worker(show_config: bool, config: str | None, **flags: str | None) -> None:
    """Run one worker until SIGTERM or Ctrl-C; a second one ends it at once.

    Flags go before SYNCLINE_* variables, and those before syncline.toml.
    """
    loaded = load_worker_settings(flags, config)
    if show_config:
        for line in loaded.lines():
            typer.echo(line)
        return
    from streams.worker.process import run_worker

    run_worker(loaded.settings)


# Text all of them: one loader converts flags, variables and file alike, and its errors say where a value came from.
_worker.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
    [
        flag("show_config", bool, False, "Print every setting, its value and where it came from, and exit."),
        config_option(),
        *setting_options(),
    ]
)
app.command("worker")(_worker)
