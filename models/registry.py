"""Finds a model by name: `null`, a folder in `models/` that holds a trained one, or the path of such a folder."""

from __future__ import annotations

import json
from pathlib import Path

from models.interface import Model
from models.null import NullModel
from syncline.errors import MissingExtraError, SettingsError

SHIPPED_DIR = Path(__file__).parent
MANIFEST = "model.json"
"""A folder with this file is a trained model."""

FUSION = "fusion"
"""The kind of model that answers sets."""


def names() -> list[str]:
    """The models that come with the repository and fuse sets; converters have a registry of their own."""
    folders = sorted(path.parent for path in SHIPPED_DIR.glob(f"*/{MANIFEST}"))
    return ["null", *(folder.name for folder in folders if _kind(folder) == FUSION)]


def describe(name: str) -> str:
    """One line about a model that `names` gives."""
    if name == "null":
        return "no decoding, no model: only the join"
    manifest = json.loads((SHIPPED_DIR / name / MANIFEST).read_text())
    return f"version {manifest['version']}, {len(manifest['labels'])} labels"


def _kind(folder: Path) -> str:
    """What a trained model is for: `fusion` where its manifest does not say, or is broken, which opening it says."""
    try:
        return str(json.loads((folder / MANIFEST).read_text()).get("kind", FUSION))
    except (OSError, ValueError, AttributeError):
        return FUSION


def find_folder(name: str) -> Path:
    """The folder of a trained model. Raises SettingsError, with the names that there are, where there is none."""
    for folder in (SHIPPED_DIR / name, Path(name)):
        if name and (folder / MANIFEST).is_file():
            return folder
    raise SettingsError("model", name, f"{', '.join(names())}, or a folder with {MANIFEST}")


def load(name: str) -> Model:
    """Open a model. Raises SettingsError where there is none or its files are broken."""
    if name == "null":
        return NullModel()
    folder = find_folder(name)
    if (kind := _kind(folder)) != FUSION:
        raise SettingsError("model", name, f"a model that fuses sets: this one is of kind {kind}, for --convert")
    try:
        from models.reference.model import ReferenceModel
    except ImportError as error:
        raise MissingExtraError(f"model {name} ({error.name})", "service") from error
    return ReferenceModel(folder)
