"""Loads settings from flags, `SYNCLINE_*` variables and `syncline.toml` into a frozen msgspec Struct.

    loaded = load_settings(WorkerSettings, flags={"tolerance_ms": 40})
    loaded.settings.join.tolerance_ms     # 40
    loaded.sources["join.tolerance_ms"]   # "flag --tolerance-ms"

A field that is a Struct is a table in the file (`[join]`); flags and variables name its fields directly
(`--tolerance-ms`, `SYNCLINE_TOLERANCE_MS`). A `Secret` comes from its variable alone, and no value of an unknown
setting is printed: it may be a misspelt secret. What a Struct's settings are: `syncline.settings.definition`.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec

from syncline.errors import SettingsError
from syncline.settings.definition import (
    ENV_PREFIX,
    LISTS,
    Setting,
    bare,
    is_struct,
    settings_of,
    takes,
    without_ranges,
)
from syncline.settings.secret import Secret

CONFIG_VARIABLE = "SYNCLINE_CONFIG"
DEFAULT_FILE = "syncline.toml"
DEFAULT_SOURCE = "default"
# Kubernetes sets these for every service whose name begins with "syncline"; they are no typing errors.
_SERVICE_LINK = re.compile(r"SYNCLINE_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\w+)?)")
_UNSHOWN = Secret("a value that is not printed")
_S = TypeVar("_S", bound=msgspec.Struct)


class Loaded(NamedTuple, Generic[_S]):
    """Settings, and the source of each by dotted name (`default`, the file, the variable or the flag)."""

    settings: _S
    sources: dict[str, str]

    def lines(self) -> list[str]:
        """Return a line for each setting: name, value and source."""
        rows = [(name, repr(_value(self.settings, name)), source) for name, source in self.sources.items()]
        names, values = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
        return [f"{name:<{names}} = {value:<{values}}  ({source})" for name, value, source in rows]


class _Given(NamedTuple):
    value: object
    source: str


_AllGiven = dict[tuple[str, ...], _Given]
_IsOthers = Callable[[tuple[str, ...]], bool]


def load_settings(
    kind: type[_S],
    *,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str | Path | None = None,
    default_file: str | None = DEFAULT_FILE,
    is_others: _IsOthers = lambda _: False,
) -> Loaded[_S]:
    """Load a Struct of settings.

    Args:
        kind (type[_S]): the Struct's type.
        flags (Mapping[str, object] | None): values by field name, typed or as text; None: the flag was not given.
        environment (Mapping[str, str] | None): variables. Default `os.environ`.
        file (str | Path | None): path of a TOML file. Default: `SYNCLINE_CONFIG`, else an existing `default_file`.
        default_file (str | None): file that is read if none is named and it exists; None: no file. Default
            `syncline.toml`.
        is_others (Callable[[tuple[str, ...]], bool]): whether an unknown key of the file, or a variable's name as a key
            of one part, belongs to other commands, so that all share one file and environment. Default: it is an error.

    Raises:
        SettingsError: a value is wrong; with the setting, its source, what it got and what it takes.
    """
    variables = os.environ if environment is None else environment
    settings = settings_of(kind)
    given = _from_file(_find_file(file, variables, default_file), kind, is_others)
    given |= _from_environment(variables, settings, is_others)
    given |= _from_flags(flags or {}, settings)
    values = {setting.path: _convert(setting, given[setting.path]) for setting in settings if setting.path in given}
    for setting in settings:
        if setting.required and setting.path not in given:
            raise SettingsError(setting.name, None, takes(setting.type))
    sources = {
        setting.key: given[setting.path].source if setting.path in given else DEFAULT_SOURCE for setting in settings
    }
    return Loaded(_build(kind, None, (), values, sources), sources)


def _find_file(file: str | Path | None, variables: Mapping[str, str], default_file: str | None) -> Path | None:
    named = file or variables.get(CONFIG_VARIABLE)
    if not named:
        return Path(default_file) if default_file and Path(default_file).is_file() else None
    if not Path(named).is_file():
        raise SettingsError("config file", str(named), "the path of a TOML file")
    return Path(named)


def _from_file(path: Path | None, kind: type[msgspec.Struct], is_others: _IsOthers) -> _AllGiven:
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError("config file", str(path), f"a TOML file ({error})") from error
    return _from_table(content, kind, (), str(path), is_others)


def _from_table(
    table: Mapping[str, object],
    kind: type[msgspec.Struct],
    path: tuple[str, ...],
    source: str,
    is_others: _IsOthers,
) -> _AllGiven:
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    given: _AllGiven = {}
    for name, value in table.items():
        here = (*path, name)
        shown = f"{'.'.join(here)} ({source})"
        if name not in types:
            if not is_others(here):
                raise _unknown(shown, name, types)
        elif bare(types[name]) is Secret:
            raise SettingsError(shown, _UNSHOWN, _takes_no_secret(name, "a file of settings"))
        elif not is_struct(types[name]):
            given[here] = _Given(value, source)
        elif isinstance(value, dict):
            inner = msgspec.convert(value, dict[str, object])
            given |= _from_table(inner, types[name], here, source, is_others)
        else:
            raise SettingsError(shown, _UNSHOWN, f"a table: [{name}]")
    return given


def _from_environment(variables: Mapping[str, str], settings: list[Setting], is_others: _IsOthers) -> _AllGiven:
    known = {setting.variable: setting for setting in settings}
    given: _AllGiven = {}
    for name, value in variables.items():
        if name in known:
            given[known[name].path] = _Given(value, name)
        elif name.startswith(ENV_PREFIX) and not _foreign(name, is_others):
            raise _unknown(name, name, known)
    return given


def _foreign(name: str, is_others: _IsOthers) -> bool:
    key = (name.removeprefix(ENV_PREFIX).lower(),)
    return name == CONFIG_VARIABLE or _SERVICE_LINK.fullmatch(name) is not None or is_others(key)


def _from_flags(flags: Mapping[str, object], settings: list[Setting]) -> _AllGiven:
    known = {setting.name: setting for setting in settings}
    given: _AllGiven = {}
    for name, value in flags.items():
        if name not in known:
            raise _unknown("--" + name.replace("_", "-"), name, known)
        setting = known[name]
        if value is not None and setting.is_secret:
            raise SettingsError(setting.flag, _UNSHOWN, _takes_no_secret(name, "a command line"))
        if value is not None:
            given[setting.path] = _Given(value, f"flag {setting.flag}")
    return given


def _takes_no_secret(name: str, place: str) -> str:
    return f"nothing from {place}, where others can read it: use {name}_file, or {ENV_PREFIX}{name.upper()}"


def _unknown(shown: str, name: str, known: Mapping[str, object]) -> SettingsError:
    return SettingsError(shown, _UNSHOWN, f"only settings that exist{_close(name, known)}")


def _close(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; is {close[0]} meant?" if close else f"; there are: {', '.join(sorted(known))}"


def _convert(setting: Setting, given: _Given) -> object:
    try:
        return convert(given.value, setting.type)
    except ValueError as error:  # msgspec's errors are ValueErrors too
        wanted = f"{takes(setting.type)} ({error})"
        raise SettingsError(f"{setting.key} ({given.source})", given.value, wanted) from error


def _build(
    kind: type[_S],
    default: _S | None,
    path: tuple[str, ...],
    values: Mapping[tuple[str, ...], object],
    sources: Mapping[str, str],
) -> _S:
    arguments: dict[str, Any] = msgspec.structs.asdict(default) if default is not None else {}
    for field in msgspec.structs.fields(kind):
        here = (*path, field.name)
        if is_struct(field.type):
            inner = arguments.get(field.name, None if field.required else field.default)
            arguments[field.name] = _build(field.type, inner, here, values, sources)
        elif here in values:
            arguments[field.name] = values[here]
    try:
        return kind(**arguments)
    except SettingsError as error:
        # The Struct's own check knows the setting but not its source. "a.b" may be a key inside map a.
        dotted = ".".join((*path, error.name))
        source = next((source for name, source in sources.items() if (dotted + ".").startswith(name + ".")), "")
        raise SettingsError(f"{dotted} ({source})" if source else dotted, error.got, error.takes) from error


def _value(settings: msgspec.Struct, dotted: str) -> object:
    value: object = settings
    for name in dotted.split("."):
        value = getattr(value, name)
    return value


def convert(value: object, kind: Any) -> object:
    """Convert a value from a file (typed) or a flag or variable (text) to `kind`. Raises `ValueError`.

    A list is `A,B`, a map `KEY=VALUE,KEY=VALUE`, a map to lists `KEY=A,B;KEY=C`. The Struct checks the range.
    """
    kind = without_ranges(kind)
    if kind is Secret:
        return Secret(str(value))
    if isinstance(value, str):
        value = _from_text(value, kind)
    if isinstance(value, bool) and not _takes_bool(kind):
        raise ValueError(f"got {value}")  # msgspec would take true for 1
    return msgspec.convert(value, kind, strict=False)


def _takes_bool(kind: Any) -> bool:
    return kind is bool or bool in get_args(kind)


def _from_text(text: str, kind: Any) -> object:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if not text and type(None) in arguments:
            return None
        return _from_text(text, next(argument for argument in arguments if argument is not type(None)))
    if origin in LISTS:
        return _split(text, ",")
    if origin is dict:
        return _map_from_text(text, arguments[1])
    return text.strip() if kind in (int, float, bool) else text


def _map_from_text(text: str, value_kind: Any) -> dict[str, object]:
    entries = _split(text, ";" if get_origin(value_kind) in LISTS else ",")
    found: dict[str, object] = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        key = key.strip()
        if not key or not equals:
            raise ValueError(f"{entry!r} is not KEY=VALUE")
        if key in found:
            raise ValueError(f"{key!r} is given twice")
        found[key] = _from_text(value.strip(), value_kind)
    return found


def _split(text: str, separator: str) -> list[str]:
    parts = [part.strip() for part in text.split(separator)]
    return [part for part in parts if part]
