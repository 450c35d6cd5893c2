"""Opens a folder by the `kind` of its `model.json`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import NamedTuple, cast, get_args

from models.adapters.manifest import Kind, read_kind, read_manifest
from models.interface import Model
from syncline.errors import MissingExtraError, SettingsError


class Opener(NamedTuple):
    """`module:function(folder, manifest)`, and the extra that brings what the module needs."""

    factory: str
    extra: str


OPENERS: dict[str, Opener] = {
    "huggingface-dual-encoder": Opener("models.adapters.dual_encoder:open_dual_encoder", "huggingface"),
    "sentence-encoder": Opener("models.adapters.sentence_encoder:open_sentence_encoder", "huggingface"),
    "onnx": Opener("models.adapters.onnx:open_onnx", "onnx"),
    "torchvision": Opener("models.adapters.torchvision:open_torchvision", "torchvision"),
}


def open_folder(folder: Path) -> Model:
    """The model of a folder whose `model.json` has a `kind`. Raises SettingsError, MissingExtraError."""
    kind = read_kind(folder)
    if kind not in OPENERS:
        raise SettingsError("kind", kind, ", ".join(get_args(Kind)))
    manifest, opener = read_manifest(folder), OPENERS[kind]
    module_name, _, function = opener.factory.partition(":")
    try:
        opened = getattr(import_module(module_name), function)
    except ImportError as error:
        raise MissingExtraError(f"model {folder} ({error.name})", opener.extra) from error
    return cast("Model", opened(folder, manifest))
