"""Turns settings into options of a command: flags are text, which the settings loader converts.

    @app.command()
    @with_client_settings()
    def check(*, settings: ClientSettings, partitions: int = 4) -> None: ...

All commands read the same syncline.toml and the same variables; of what is there each takes what its Struct has.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated, Any

import msgspec
import typer

from syncline.kafka.settings import ClientSettings
from syncline.settings.config import load_settings
from syncline.settings.definition import Setting, as_text, bare, settings_of, takes

PANELS = {
    "join": "The join: table join of syncline.toml",
    "security": "TLS and passwords: table security of syncline.toml",
}
_METAVARS = {"an integer": "<int>", "true or false": "<bool>", "text": "<str>", "a password": "<str>"}


def with_settings(kind: type[msgspec.Struct], *names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options for settings; its parameter `settings` gets the Struct, its `loaded` also the sources.

    Args:
        kind (type[msgspec.Struct]): the Struct to load.
        names (str): its fields that get an option, a table with all its settings. Default: all.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        options = [_option(setting) for setting in settings_of(kind) if not names or setting.path[0] in names]

        def run(config: str | None, **given: Any) -> None:
            flags = {option.name: given.pop(option.name) for option in options}
            loaded = load_settings(kind, flags=flags, file=config, is_others=is_of_the_service)
            given[wanted] = loaded if wanted == "loaded" else loaded.settings
            command(**given)

        signature = inspect.signature(command, eval_str=True)
        wanted = "loaded" if "loaded" in signature.parameters else "settings"
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in signature.parameters.items()
            if name != wanted
        ]
        shown = [*own, _config_option(), *options]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = signature.replace(parameters=shown)  # pyright: ignore[reportFunctionMemberAccess]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        return run

    return decorate


def with_client_settings(*more: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of every client, and `more` fields of `ClientSettings`."""
    return with_settings(ClientSettings, "brokers", "topic_prefix", "security", *more)


def is_of_the_service(path: tuple[str, ...]) -> bool:
    """Tell whether a key of syncline.toml, or a variable's name, is a setting of the worker.

    If only the client is installed this is unknown, and every name passes.
    """
    if find_spec("streams") is None:
        return True
    from streams.settings import WorkerSettings

    known = settings_of(WorkerSettings)
    return path in {setting.path[: len(path)] for setting in known} | {(setting.name,) for setting in known}


def _option(setting: Setting) -> inspect.Parameter:
    # A secret's flag is hidden: it exists only to explain why it is refused.
    option = typer.Option(
        setting.flag,
        help=_help(setting),
        metavar=_metavar(setting),
        show_default=False,
        hidden=setting.is_secret,
        rich_help_panel=PANELS.get(setting.path[0]) if len(setting.path) > 1 else None,
    )
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def _help(setting: Setting) -> str:
    # In round brackets: rich parses square ones as markup and hides them.
    facts = [f"default {as_text(setting.default) or 'none'}"]
    if setting.range:
        facts.insert(0, setting.range)
    if setting.example is not None:
        facts.append(f"e.g. {as_text(setting.example)}")
    return f"{setting.help} ({'; '.join([*facts, setting.variable, setting.key])})"


def _metavar(setting: Setting) -> str:
    if setting.unit and bare(setting.type) is int:
        return f"<{setting.unit}>"
    form = takes(bare(setting.type))
    if form.endswith(": A,B"):
        return "A,B"
    return _METAVARS.get(form) or ("KEY=VALUE" if "KEY" in form else form.replace(", ", "|"))


def _config_option() -> inspect.Parameter:
    option = typer.Option("--config", help="A TOML file; without it SYNCLINE_CONFIG, else syncline.toml here.")
    return inspect.Parameter(
        "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )
