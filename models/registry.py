"""Finds a model by name: `null`, a folder in `models/` that holds a trained one, the path of a folder, a class.

A folder's `model.json` says its kind: one of `models/adapters/folders.py`, none for what `syncline model train` wrote.
`FILE.py:CLASS` and `MODULE:CLASS` are classes of one's own (docs/models.md).
"""

from __future__ import annotations

import json
from pathlib import Path

from models.adapters.folders import open_folder
from models.adapters.manifest import read_kind
from models.converters import ENGINES
from models.interface import Model
from models.null import NullModel
from models.own import find_class
from syncline.errors import MissingExtraError, SettingsError

SHIPPED_DIR = Path(__file__).parent
MANIFEST = "model.json"
"""A folder with this file is a trained model."""

CONVERTER_KINDS = tuple(ENGINES)
"""Kinds of trained models that convert single events: they are opened by models/converters.py."""


def names() -> list[str]:
    """The models that come with the repository and fuse sets; converters have a registry of their own."""
    folders = sorted(path.parent for path in SHIPPED_DIR.glob(f"*/{MANIFEST}"))
    return ["null", *(folder.name for folder in folders if _kind(folder) not in CONVERTER_KINDS)]


def describe(name: str) -> str:
    """One line about a model that `names` gives."""
    if name == "null":
        return "no decoding, no model: only the join"
    manifest = json.loads((SHIPPED_DIR / name / MANIFEST).read_text())
    return f"version {manifest['version']}, {len(manifest['labels'])} labels"


def _kind(folder: Path) -> str:
    """What a model is: "" where its manifest does not say, or is broken, which opening it says."""
    try:
        return read_kind(folder)
    except SettingsError:
        return ""


def find_folder(name: str) -> Path:
    """The folder of a trained model. Raises SettingsError, with the names that there are, where there is none."""
    for folder in (SHIPPED_DIR / name, Path(name)):
        if name and (folder / MANIFEST).is_file():
            return folder
    raise SettingsError("model", name, f"{', '.join(names())}, a folder with {MANIFEST}, or FILE.py:CLASS")


def load(name: str) -> Model:
    """Open a model. Raises SettingsError where there is none or its files are broken."""
    if name == "null":
        return NullModel()
    if ":" in name and not Path(name).exists():
        return _open_class(name)
    folder = find_folder(name)
    kind = read_kind(folder)
    if kind in CONVERTER_KINDS:
        raise SettingsError("model", name, f"a model that fuses sets: this one is of kind {kind}, for --convert")
    if kind:
        return open_folder(folder)
    try:
        from models.reference.model import ReferenceModel
    except ImportError as error:
        raise MissingExtraError(f"model {name} ({error.name})", "service") from error
    return ReferenceModel(folder)


def _open_class(name: str) -> Model:
    try:
        return find_class("model", name, Model)()
    except TypeError as error:  # a method that `Model` wants is missing, or the class wants arguments
        raise SettingsError("model", name, f"a class that can be made without arguments ({error})") from error
