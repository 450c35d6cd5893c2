"""A model class of one's own: `path/to/file.py:Class` or `package.module:Class`, opened without arguments.

Naming it runs its code, so it is taken from what the operator types and from nowhere else: no manifest, no record and
no folder can name code.
"""

from __future__ import annotations

import sys
from importlib import import_module, util
from pathlib import Path
from types import ModuleType

from models.interface import Model
from syncline.errors import SettingsError

TAKES = "FILE.py:CLASS or MODULE:CLASS"


def is_own_class(name: str) -> bool:
    """Whether `name` says a class instead of a folder."""
    place, colon, class_name = name.rpartition(":")
    return bool(colon and place) and class_name.isidentifier()


def open_own_class(name: str) -> Model:
    """An instance of the class. Raises SettingsError where there is none, or where it is no `Model`."""
    place, _, class_name = name.rpartition(":")
    module = _file(name, Path(place)) if place.endswith(".py") else _module(name, place)
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise SettingsError("model", name, f"{TAKES} of a class that is a models.interface.Model")
    try:
        return found()
    except TypeError as error:  # what `Model` wants is missing, or the class wants arguments
        raise SettingsError("model", name, f"a class that can be made without arguments ({error})") from error


def _file(name: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise SettingsError("model", name, f"{TAKES}; there is no {path}")
    spec = util.spec_from_file_location(f"syncline_own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SettingsError("model", name, f"{TAKES}; {path} cannot be imported")
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and msgspec look themselves up
    spec.loader.exec_module(module)
    return module


def _module(name: str, place: str) -> ModuleType:
    try:
        return import_module(place)
    except ImportError as error:
        raise SettingsError("model", name, f"{TAKES}; {error}") from error
