"""Settings as options of the command line: all of them text, which one loader converts
(syncline/settings/config.py).
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec
import typer

from streams.settings import HELP, WorkerSettings
from syncline.kafka.security import SECURITY_HELP, SecuritySettings
from syncline.settings.config import ENV_PREFIX, Loaded, describe, load_settings
from syncline.settings.secret import Secret


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


Brokers = Annotated[str, typer.Option(envvar="SYNCLINE_BROKERS", help="Bootstrap addresses, host:port,host:port.")]
TopicPrefix = Annotated[
    str, typer.Option("--topic-prefix", envvar="SYNCLINE_TOPIC_PREFIX", help="In front of every topic's name.")
]
PANEL = "TLS and passwords (each also a variable, SYNCLINE_ and its name)"


def with_security(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each security setting; its parameter `security` gets them all."""
    names = SecuritySettings.__struct_fields__

    def run(**given: Any) -> None:
        flags = {name: given.pop(name) for name in names}
        command(security=_load(flags), **given)

    signature = inspect.signature(command, eval_str=True)
    kept = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name != "security"
    ]
    options = [
        setting_option(field.name, field.type, field.default, SECURITY_HELP[field.name], PANEL)
        for field in msgspec.structs.fields(SecuritySettings)
    ]
    shown = [*kept, *options]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature.replace(parameters=shown)  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return run


def _load(flags: dict[str, str | None]) -> SecuritySettings:
    variables = {ENV_PREFIX + name.upper() for name in SecuritySettings.__struct_fields__}
    given = {name: value for name, value in os.environ.items() if name in variables}
    return load_settings(SecuritySettings, flags=flags, environment=given, default_file=None).settings


def config_option() -> inspect.Parameter:
    """`--config FILE`."""
    return flag("config", str | None, None, "A TOML file; without it SYNCLINE_CONFIG, else syncline.toml here.")


def flag(name: str, kind: Any, default: Any, text: str) -> inspect.Parameter:
    """An option that is no setting."""
    annotation = Annotated[kind, typer.Option("--" + name.replace("_", "-"), help=text)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def setting_options(*tables: str) -> list[inspect.Parameter]:
    """An option for each setting of a worker; `tables` are the fields of `WorkerSettings` to take, all if none is."""
    return [
        setting_option(name, kind, default, HELP[name], PANEL if name in SECURITY_HELP else None)
        for name, kind, default in _settings(WorkerSettings, tables)
    ]


def load_worker_settings(flags: dict[str, Any], config: str | None) -> Loaded[WorkerSettings]:
    """The settings that a worker with these flags would have."""
    return load_settings(WorkerSettings, flags=flags, file=config)


def with_worker_settings(*tables: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options for some of a worker's settings; its parameter `settings` gets all of them."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        options = setting_options(*tables)

        def run(config: str | None, **given: Any) -> None:
            flags = {option.name: given.pop(option.name) for option in options}
            command(settings=load_worker_settings(flags, config).settings, **given)

        signature = inspect.signature(command, eval_str=True)
        own = [parameter for name, parameter in signature.parameters.items() if name != "settings"]
        shown = [*own, config_option(), *options]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = signature.replace(parameters=shown)  # pyright: ignore[reportFunctionMemberAccess]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        return run

    return decorate


def _settings(kind: type[msgspec.Struct], tables: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Name, type and default of every setting, those of inner tables too."""
    for field in msgspec.structs.fields(kind):
        if tables and field.name not in tables:
            continue
        field_type: Any = field.type
        if hasattr(field_type, "__struct_fields__"):
            yield from _settings(field_type)
        else:
            default: Any = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            yield field.name, field_type, default
