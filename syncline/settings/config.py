"""Settings: flags, then `SYNCLINE_*`, then `syncline.toml`, into any frozen msgspec Struct.

    loaded = load_settings(WorkerSettings, flags={"tolerance_ms": 40})
    loaded.settings.join.tolerance_ms     # 40
    loaded.sources["join.tolerance_ms"]   # "flag --tolerance-ms"

A field that is a Struct is a table in the file (`[join]`); flags and variables name its fields directly
(`--tolerance-ms`, `SYNCLINE_TOLERANCE_MS`). How text becomes a list or a map: `syncline.settings.config`.
A `Secret` comes from its variable alone, and no value of an unknown setting is printed: it may be a misspelt secret.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec

from syncline.errors import SettingsError
from syncline.settings.secret import Secret

ENV_PREFIX = "SYNCLINE_"
CONFIG_VARIABLE = "SYNCLINE_CONFIG"
DEFAULT_FILE = "syncline.toml"
DEFAULT_SOURCE = "default"
# Kubernetes sets these for every service whose name begins with "syncline"; they are nobody's typing errors.
_SERVICE_LINK = re.compile(r"SYNCLINE_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\w+)?)")
_UNSHOWN = Secret("a value that is not printed")
_S = TypeVar("_S", bound=msgspec.Struct)


class Loaded(NamedTuple, Generic[_S]):
    """Settings, and by dotted name where each came from (`default`, the file, the variable or the flag)."""

    settings: _S
    sources: dict[str, str]

    def lines(self) -> list[str]:
        """One line a setting: its name, its value and where that came from."""
        rows = [(name, repr(_value(self.settings, name)), source) for name, source in self.sources.items()]
        names, values = (max((len(row[i]) for row in rows), default=0) for i in (0, 1))
        return [f"{name:<{names}} = {value:<{values}}  ({source})" for name, value, source in rows]


class _Leaf(NamedTuple):
    path: tuple[str, ...]
    type: Any
    required: bool

    @property
    def name(self) -> str:
        return self.path[-1]


class _Given(NamedTuple):
    value: object
    source: str


def load_settings(
    kind: type[_S],
    *,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str | Path | None = None,
    default_file: str | None = DEFAULT_FILE,
    other_variables: frozenset[str] = frozenset(),
) -> Loaded[_S]:
    """Load a Struct of settings.

    flags: by field name, typed or as text; None is a flag that was not given. environment: default `os.environ`.
    file: default `SYNCLINE_CONFIG`, else `default_file` where there is one. other_variables: `SYNCLINE_*` names that
    belong to somebody else. Raises `SettingsError` with setting, source, what it got and what it takes.
    """
    variables = os.environ if environment is None else environment
    leaves = _leaves(kind)
    given = _from_file(_find_file(file, variables, default_file), kind)
    given |= _from_environment(variables, leaves, other_variables)
    given |= _from_flags(flags or {}, leaves)
    values = {leaf.path: _convert(leaf, given[leaf.path]) for leaf in leaves if leaf.path in given}
    sources = {".".join(leaf.path): _source(given, leaf) for leaf in leaves}
    for leaf in leaves:
        if leaf.required and leaf.path not in given:
            raise SettingsError(leaf.name, None, describe(leaf.type))
    return Loaded(_build(kind, None, (), values, sources), sources)


def _leaves(kind: type[msgspec.Struct], path: tuple[str, ...] = ()) -> list[_Leaf]:
    leaves: list[_Leaf] = []
    for field in msgspec.structs.fields(kind):
        here = (*path, field.name)
        if _is_struct(field.type):
            inner = _leaves(field.type, here)
            leaves += inner if field.required else [leaf._replace(required=False) for leaf in inner]
        else:
            leaves.append(_Leaf(here, field.type, field.required))
    names = [leaf.name for leaf in leaves]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TypeError(f"{kind.__name__} has two settings of the name {', '.join(sorted(twice))}")
    return leaves


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _find_file(file: str | Path | None, variables: Mapping[str, str], default_file: str | None) -> Path | None:
    named = file or variables.get(CONFIG_VARIABLE)
    if not named:
        return Path(default_file) if default_file and Path(default_file).is_file() else None
    if not Path(named).is_file():
        raise SettingsError("config file", str(named), "the path of a TOML file")
    return Path(named)


def _from_file(path: Path | None, kind: type[msgspec.Struct]) -> dict[tuple[str, ...], _Given]:
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError("config file", str(path), f"a TOML file ({error})") from error
    return _from_table(content, kind, (), str(path))


def _from_table(
    table: Mapping[str, object], kind: type[msgspec.Struct], path: tuple[str, ...], source: str
) -> dict[tuple[str, ...], _Given]:
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    given: dict[tuple[str, ...], _Given] = {}
    for name, value in table.items():
        here = (*path, name)
        if name not in types:
            raise _unknown(f"{'.'.join(here)} ({source})", name, types)
        if types[name] is Secret:
            raise SettingsError(f"{'.'.join(here)} ({source})", _UNSHOWN, _takes_no_secret(name, "a file of settings"))
        if not _is_struct(types[name]):
            given[here] = _Given(value, source)
        elif isinstance(value, dict):
            given |= _from_table(msgspec.convert(value, dict[str, object]), types[name], here, source)
        else:
            raise SettingsError(f"{'.'.join(here)} ({source})", _UNSHOWN, f"a table: [{name}]")
    return given


def _from_environment(
    variables: Mapping[str, str], leaves: list[_Leaf], others: frozenset[str]
) -> dict[tuple[str, ...], _Given]:
    known = {ENV_PREFIX + leaf.name.upper(): leaf for leaf in leaves}
    given: dict[tuple[str, ...], _Given] = {}
    for name, value in variables.items():
        if name in known:
            given[known[name].path] = _Given(value, name)
        elif name.startswith(ENV_PREFIX) and not _foreign(name, others):
            raise _unknown(name, name, known)
    return given


def _foreign(name: str, others: frozenset[str]) -> bool:
    return name == CONFIG_VARIABLE or name in others or _SERVICE_LINK.fullmatch(name) is not None


def _from_flags(flags: Mapping[str, object], leaves: list[_Leaf]) -> dict[tuple[str, ...], _Given]:
    known = {leaf.name: leaf for leaf in leaves}
    given: dict[tuple[str, ...], _Given] = {}
    for name, value in flags.items():
        if name not in known:
            raise _unknown(_flag(name), name, known)
        if value is not None and known[name].type is Secret:
            raise SettingsError(_flag(name), _UNSHOWN, _takes_no_secret(name, "a command line"))
        if value is not None:
            given[known[name].path] = _Given(value, f"flag {_flag(name)}")
    return given


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _takes_no_secret(name: str, place: str) -> str:
    return f"nothing from {place}, where others can read it: use {name}_file, or {ENV_PREFIX}{name.upper()}"


def _unknown(shown: str, name: str, known: Mapping[str, object]) -> SettingsError:
    return SettingsError(shown, _UNSHOWN, f"only settings that exist{_close(name, known)}")


def _close(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; is {close[0]} meant?" if close else f"; there are: {', '.join(sorted(known))}"


def _convert(leaf: _Leaf, given: _Given) -> object:
    try:
        return convert(given.value, leaf.type)
    except ValueError as error:  # msgspec's errors are ValueErrors too
        takes = f"{describe(leaf.type)} ({error})"
        raise SettingsError(f"{'.'.join(leaf.path)} ({given.source})", given.value, takes) from error


def _source(given: Mapping[tuple[str, ...], _Given], leaf: _Leaf) -> str:
    return given[leaf.path].source if leaf.path in given else DEFAULT_SOURCE


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
        if _is_struct(field.type):
            inner = arguments.get(field.name, None if field.required else field.default)
            arguments[field.name] = _build(field.type, inner, here, values, sources)
        elif here in values:
            arguments[field.name] = values[here]
    try:
        return kind(**arguments)
    except SettingsError as error:
        # The Struct's own check knows the setting, not where its value came from. "a.b" may be a key inside map a.
        dotted = ".".join((*path, error.name))
        source = next((source for name, source in sources.items() if (dotted + ".").startswith(name + ".")), "")
        raise SettingsError(f"{dotted} ({source})" if source else dotted, error.got, error.takes) from error


def _value(settings: msgspec.Struct, dotted: str) -> object:
    value: object = settings
    for name in dotted.split("."):
        value = getattr(value, name)
    return value


_LISTS = (list, tuple, set, frozenset)
_NAMES = {int: "an integer", float: "a number", bool: "true or false", str: "text", Secret: "a password"}


def convert(value: object, kind: Any) -> object:
    """A value from a file (typed) or a flag or variable (text) as `kind`; raises ValueError."""
    if kind is Secret:
        return Secret(str(value))
    if isinstance(value, str):
        value = _from_text(value, kind)
    if isinstance(value, bool) and not _takes_bool(kind):
        raise ValueError(f"got {value}")  # msgspec would take true for 1
    return msgspec.convert(value, kind, strict=False)


def describe(kind: Any) -> str:
    """What a setting of this type takes, in words."""
    origin, arguments = get_origin(kind), [argument for argument in get_args(kind) if argument is not Ellipsis]
    if origin is Literal:
        return ", ".join(str(argument) for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join("none" if argument is type(None) else describe(argument) for argument in arguments)
    if origin in _LISTS:
        return f"a list of {describe(arguments[0])}: A,B"
    if origin is dict:
        example = "KEY=A,B;KEY=C" if get_origin(arguments[1]) in _LISTS else "KEY=VALUE,KEY=VALUE"
        return f"a map to {describe(arguments[1]).split(':')[0]}: {example}"
    return _NAMES.get(kind, getattr(kind, "__name__", str(kind)))


def _takes_bool(kind: Any) -> bool:
    return kind is bool or bool in get_args(kind)


def _from_text(text: str, kind: Any) -> object:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if not text and type(None) in arguments:
            return None
        return _from_text(text, next(argument for argument in arguments if argument is not type(None)))
    if origin in _LISTS:
        return _split(text, ",")
    if origin is dict:
        return _map_from_text(text, arguments[1])
    return text.strip() if kind in (int, float, bool) else text


def _map_from_text(text: str, value_kind: Any) -> dict[str, object]:
    entries = _split(text, ";" if get_origin(value_kind) in _LISTS else ",")
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
