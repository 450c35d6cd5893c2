"""Finds the settings of a Struct: name, type, range, default and help, all from the Struct's fields.

    class RetrySettings(msgspec.Struct, frozen=True, kw_only=True):
        pause_ms: Annotated[int, Meta(ge=1, description="Between two tries.")] = 100

        def __post_init__(self) -> None:
            check_ranges(self)

Checks, flags, `--help`, `--show-config`, docs/settings.md and syncline.example.toml are all made of it. A unit is the
end of the name (`_ms`, `_bytes`); a field that is a Struct is a table of the file.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Union, cast, get_args, get_origin

import msgspec

from syncline.errors import SettingsError
from syncline.settings.secret import Secret

ENV_PREFIX = "SYNCLINE_"
LISTS = (list, tuple, set, frozenset)
_NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "text", Secret: "a password"}
_NOT_EMPTY = " that is not empty"
_UNITS = {"ms": "ms", "s": "s", "bytes": "bytes", "records": "records"}


class Setting(NamedTuple):
    """One setting of a Struct or of a Struct inside it; `type` is the field's, with `Annotated`."""

    path: tuple[str, ...]
    type: Any
    default: Any
    required: bool

    @property
    def name(self) -> str:
        """The name without the table."""
        return self.path[-1]

    @property
    def key(self) -> str:
        """The key in the file, such as `join.tolerance_ms`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable."""
        return ENV_PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The flag on a command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def unit(self) -> str:
        """The unit at the end of the name; "" if there is none."""
        return _UNITS.get(self.name.rpartition("_")[2], "")

    @property
    def help(self) -> str:
        """The description, one sentence."""
        return next((meta.description for meta in _metas(self.type) if meta.description), "")

    @property
    def example(self) -> Any:
        """A value that shows the syntax; None if the default does."""
        return next((meta.examples[0] for meta in _metas(self.type) if meta.examples), None)

    @property
    def range(self) -> str:
        """What its number must be, `at least 1`; "" where any will do."""
        said = _range(self.type)
        return "" if said == _NOT_EMPTY else said.removeprefix(" of").strip()

    @property
    def is_secret(self) -> bool:
        """Whether only a variable can set it."""
        return bare(self.type) is Secret


def settings_of(kind: type[msgspec.Struct]) -> list[Setting]:
    """Return all settings of a Struct and its tables.

    Raises `TypeError` if two have the same name: flags and variables are named without the table.
    """
    found = _settings_of(kind, (), None)
    names = [setting.name for setting in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TypeError(f"{kind.__name__} has two settings of the name {', '.join(sorted(twice))}")
    return found


def _settings_of(kind: type[msgspec.Struct], path: tuple[str, ...], filled: Any) -> list[Setting]:
    """`filled`: the outer Struct's default for this one, which overrides the fields' defaults."""
    found: list[Setting] = []
    for field in msgspec.structs.fields(kind):
        here = (*path, field.name)
        default: Any = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        default = default if filled is None else getattr(filled, field.name)
        required = field.required and filled is None
        if is_struct(field.type):
            found += _settings_of(field.type, here, None if required else default)
        else:
            found.append(Setting(here, field.type, default, required))
    return found


def is_struct(kind: Any) -> bool:
    """Tell whether a field of this type is a table."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def bare(kind: Any) -> Any:
    """Return the type without `Annotated`."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def without_ranges(kind: Any) -> Any:
    """Return the type without `Annotated`, inside too."""
    plain = bare(kind)
    origin, arguments = get_origin(plain), get_args(plain)
    if not arguments or origin is Literal:
        return plain
    of = Union if origin is types.UnionType else origin
    return of[tuple(without_ranges(argument) for argument in arguments)]  # pyright: ignore[reportOptionalSubscript]


def _metas(kind: Any) -> list[msgspec.Meta]:
    extras = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return [extra for extra in extras if isinstance(extra, msgspec.Meta)]


def takes(kind: Any) -> str:
    """Describe what a type takes: `an integer from 0 to 65535`, `earliest, nearest, tumbling`."""
    plain = bare(kind)
    origin, arguments = get_origin(plain), [argument for argument in get_args(plain) if argument is not Ellipsis]
    if origin is Literal:
        return ", ".join(str(argument) for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if argument is type(None) else takes(argument) for argument in arguments)
    if origin in LISTS:
        return f"a list of {takes(arguments[0])}: A,B"
    if origin is dict:
        form = "KEY=A,B;KEY=C" if get_origin(arguments[1]) in LISTS else "KEY=VALUE,KEY=VALUE"
        return f"a map to {takes(arguments[1]).split(':')[0]}: {form}"
    return _NAMES.get(plain, getattr(plain, "__name__", str(plain))) + _range(kind)


def _range(kind: Any) -> str:
    least = next((meta.ge for meta in _metas(kind) if meta.ge is not None), None)
    most = next((meta.le for meta in _metas(kind) if meta.le is not None), None)
    above = next((meta.gt for meta in _metas(kind) if meta.gt is not None), None)
    if above is not None and most is not None:
        return f" of more than {above}, at most {most}"
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" of at least {least}"
    return _NOT_EMPTY if any(meta.pattern for meta in _metas(kind)) else ""


NotEmpty = msgspec.Meta(pattern=r"\S")
"""Text with a visible character."""


def check_ranges(settings: msgspec.Struct, within: str = "") -> None:
    """Check every value against its field's type and range; Structs inside have checked themselves.

    Args:
        settings (msgspec.Struct): the Struct, from its `__post_init__`.
        within (str): prefix of a setting's name in errors, such as `image.`. Default: none.

    Raises:
        SettingsError: with the setting, what it got and what it takes.
    """
    for field in msgspec.structs.fields(type(settings)):
        if not is_struct(field.type):
            _check(within + field.name, getattr(settings, field.name), field.type)


def _check(name: str, value: Any, kind: Any) -> None:
    plain = bare(kind)
    if plain is Secret:
        if not isinstance(value, Secret):
            raise SettingsError(name, Secret("***"), "a Secret: Secret(text)")
        return
    if isinstance(value, msgspec.Struct) or (value is None and type(None) in get_args(plain)):
        return  # a Struct has checked itself, and msgspec converts to no union of two
    if get_origin(plain) is dict and isinstance(value, dict):
        entries = cast("Mapping[Any, Any]", value)
        for key, inner in entries.items():
            _check(f"{name}.{key}", inner, get_args(plain)[1])
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(name, value, takes(kind)) from error


def as_text(value: Any) -> str:
    """Write a value as flags and variables take it: `image,text`, `left=-5`, `true`."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        entries = cast("Mapping[Any, Any]", value)
        between = ";" if any(isinstance(inner, LISTS) for inner in entries.values()) else ","
        return between.join(f"{key}={as_text(inner)}" for key, inner in entries.items())
    if isinstance(value, LISTS):
        return ",".join(map(as_text, cast("Iterable[Any]", value)))
    return "" if value is None else str(value)
