"""Text of a flag or a variable as the value that a setting takes.

int, float, bool, str       40     0.5     true, false, 1, 0     earliest
list                        image,text                   (an empty text is an empty list)
map of single values        image=100,text=50
map of lists                lobby-*=image,text;hall-*=left:image,right:image
value or none               empty text is none
"""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from syncline.secret import Secret

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
