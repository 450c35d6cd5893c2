"""Settings as options of the command line: text all of them, which one loader converts (syncline/config.py)."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from syncline.secret import Secret
from syncline.settings_text import describe


def setting_option(name: str, kind: Any, default: Any, text: str, panel: str | None = None) -> inspect.Parameter:
    """A parameter whose value is the flag's text, None where it was not given.

    A secret's is hidden: it is there to say why it is refused, instead of being unknown.
    """
    shown = ",".join(default) if kind == tuple[str, ...] else default
    option = typer.Option(
        "--" + name.replace("_", "-"),
        help=f"{text} [default: {_shown(shown)}]",
        metavar=_metavar(kind),
        show_default=False,
        hidden=kind is Secret,
        rich_help_panel=panel,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if default not in ("", {}) else "none"


def _metavar(kind: Any) -> str:
    takes = describe(kind)
    short = {"an integer": "INTEGER", "true or false": "BOOL", "text": "TEXT", "a password": "TEXT"}
    if takes.endswith(": A,B"):
        return "A,B"
    return short.get(takes) or ("KEY=VALUE" if "KEY" in takes else takes.replace(", ", "|"))
