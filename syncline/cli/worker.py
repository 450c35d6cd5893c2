"""`syncline worker`: one worker. Every setting is a flag, a SYNCLINE_ variable and a line of syncline.toml."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import msgspec
import typer

from streams.settings import WorkerSettings
from streams.settings_help import HELP
from syncline.cli.security_options import PANEL
from syncline.cli.setting_options import setting_option
from syncline.config import Loaded, load_settings
from syncline.security import SECURITY_HELP

app = typer.Typer(add_completion=False)


def _worker(show_config: bool, config: str | None, **flags: str | None) -> None:
    """Run one worker until SIGTERM or Ctrl-C; a second one ends it at once.

    Flags go before SYNCLINE_* variables, and those before syncline.toml.
    """
    loaded: Loaded[WorkerSettings] = load_settings(WorkerSettings, flags=flags, file=config)
    if show_config:
        for line in loaded.lines():
            typer.echo(line)
        return
    from streams.process import run_worker  # brings Faust, and the model later torch

    run_worker(loaded.settings)


def _settings(kind: type[msgspec.Struct]) -> list[tuple[str, Any, Any]]:
    """Name, type and default of every setting, those of inner tables too."""
    found: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(kind):
        field_type: Any = field.type
        if hasattr(field_type, "__struct_fields__"):
            found += _settings(field_type)
        else:
            default: Any = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            found.append((field.name, field_type, default))
    return found


def _flag(name: str, kind: Any, default: Any, text: str) -> inspect.Parameter:
    annotation = Annotated[kind, typer.Option("--" + name.replace("_", "-"), help=text)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


# Text all of them: one loader converts flags, variables and file alike, and its errors say where a value came from.
_worker.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
    [
        _flag("show_config", bool, False, "Print every setting, its value and where it came from, and exit."),
        _flag("config", str | None, None, "A TOML file; without it SYNCLINE_CONFIG, else syncline.toml here."),
        *(
            setting_option(name, kind, default, HELP[name], PANEL if name in SECURITY_HELP else None)
            for name, kind, default in _settings(WorkerSettings)
        ),
    ]
)
app.command("worker")(_worker)
