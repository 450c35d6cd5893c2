"""Settings of a worker as options, for the worker and for commands that must know what the workers were told.

    @app.command()
    @with_worker_settings("brokers", "group", "topic_prefix", "join")
    def verify(*, settings: WorkerSettings) -> None: ...

Flags go before SYNCLINE_* variables, and those before syncline.toml: the file of the workers serves these commands.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec
import typer

from streams.settings import WorkerSettings
from streams.settings_help import HELP
from syncline.cli.security_options import PANEL
from syncline.cli.setting_options import setting_option
from syncline.config import Loaded, load_settings
from syncline.security import SECURITY_HELP


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
