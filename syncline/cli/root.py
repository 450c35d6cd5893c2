"""The root of the command line: which commands there are, and how the one that is asked for is imported."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from syncline import version
from syncline.errors import ServiceMissingError

COMMANDS = {
    "broker": "Run the embedded broker on this machine.",
    "topics": "Create, check or grow the topics.",
    "worker": "Run one worker of the service.",
    "produce": "Send the media that a manifest lists.",
    "consume": "Print results as they come.",
    "index": "Keep a local vector index of results, to search in.",
    "search": "Find moments by words, a picture or a sound.",
    "demo": "Line up and fuse five sample streams on this machine, before your eyes.",
    "model": "Train, evaluate or list models.",
    "verify": "Read all topics back and judge whether every record came to exactly one outcome.",
    "explain": "Tell what happened to one record.",
    "deadletter": "List, show or send again the records that could not be used.",
}
"""Commands and their help; the module is `syncline.cli.<name>`. Commands without a module are not listed."""
SERVICE_COMMANDS = frozenset({"worker", "demo", "model", "verify", "explain", "search"})
"""Commands that need `streams`, `processors` and `models`, which are not in the wheel."""


class LazyGroup(TyperGroup):
    """A group of placeholder commands; the one that runs is imported."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command named first in `args`, then let typer resolve it."""
        name = args[0] if args else ""
        if name in self.commands:
            self.commands[name] = load(name)
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:
    """Import a command's module and return its click command.

    Raises `ServiceMissingError` for a command of the service if only the wheel is installed.
    """
    if name in SERVICE_COMMANDS and importlib.util.find_spec("streams") is None:
        raise ServiceMissingError(f"syncline {name}")
    command = typer.main.get_command(importlib.import_module(f"syncline.cli.{name}").app)
    command.name = name
    return command


def existing() -> list[str]:
    """Return the names of the commands whose modules exist, in the order of the help."""
    return [name for name in COMMANDS if importlib.util.find_spec(f"syncline.cli.{name}") is not None]


def build() -> typer.Typer:
    """Return the root with a placeholder for each command."""
    app = typer.Typer(cls=LazyGroup, add_completion=False, no_args_is_help=True)

    @app.callback()
    def root(  # pyright: ignore[reportUnusedFunction]
        _version: Annotated[
            bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version)
        ] = False,
    ) -> None:
        """Line up pictures, sound and text of the same moment, and fuse them."""

    for name in existing():
        app.command(name, help=COMMANDS[name])(_placeholder)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"syncline {version()}")
        raise typer.Exit


def _placeholder() -> None:
    """Stand for a command in the help of the root; never runs, see LazyGroup."""
    raise NotImplementedError


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    typer.main.get_command(build()).main(args=arguments, prog_name="syncline")
