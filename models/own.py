"""Finds a class of the operator's own: `package.module:Class` or `path/to/file.py:Class`.

Only what the operator wrote on the command line, in a variable or in the settings file is ever imported; nothing that
came over Kafka or stands in a model's folder is.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from syncline.errors import SettingsError

_C = TypeVar("_C")


def find_class(name: str, where: str, base: type[_C]) -> Callable[..., _C]:
    """The class at `where`, a subclass of `base`; raises SettingsError, for the setting `name`, where there is none."""
    module_name, _, class_name = where.rpartition(":")
    if not module_name or not class_name:
        raise SettingsError(name, where, "module:Class or path/to/file.py:Class")
    module = _load_file(name, Path(module_name)) if module_name.endswith(".py") else _import(name, module_name)
    found: object = getattr(module, class_name, None)
    if not isinstance(found, type) or not issubclass(found, base):
        raise SettingsError(name, where, f"a class that derives from {base.__module__}.{base.__name__}")
    return found


def _import(name: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ImportError as error:
        raise SettingsError(name, module_name, f"a module that can be imported ({error})") from error


def _load_file(name: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise SettingsError(name, str(path), "a Python file that is there")
    module_name = f"syncline_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise SettingsError(name, str(path), "a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and pickles look their module up by its name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SettingsError(name, str(path), f"a Python file that runs ({type(error).__name__}: {error})") from error
    return module
