"""What every command that talks to a broker takes: its addresses, and how to get in.

    @app.command()
    @with_security
    def check(*, brokers: Brokers = DEFAULT_BROKERS, security: SecuritySettings) -> None: ...

The command line shows an option for each security setting, and the command gets them checked, as one value.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import typer

from syncline.cli.setting_options import setting_option
from syncline.config import ENV_PREFIX, load_settings
from syncline.security import SECURITY_HELP, SecuritySettings

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
