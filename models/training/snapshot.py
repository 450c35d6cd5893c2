"""A checkpoint as one file: nested dicts of tensors and plain values, in safetensors, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from syncline.errors import SettingsError

SKELETON = "skeleton"
TENSOR, ITEMS = "~tensor", "~items"
"""What stands in the JSON for a tensor (its name), and for a mapping (its items: JSON's own keys are strings)."""

State = dict[str, Any]
"""Tensors, numbers, strings, None, lists and mappings of them."""


def pack(state: State) -> bytes:
    """State to bytes: a safetensors file whose metadata hold, as JSON, all that is no tensor."""
    tensors: dict[str, Tensor] = {}
    skeleton = _take_apart(state, "", tensors)
    return save(tensors, {SKELETON: json.dumps(skeleton)})


def unpack(data: bytes, where: object) -> State:
    """Bytes to the state that was packed (tuples are lists). Raises SettingsError naming `where` for other bytes."""
    try:
        length = int.from_bytes(data[:8], "little")
        skeleton = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][SKELETON])
        return _put_together(skeleton, load(data))
    except (KeyError, ValueError, SafetensorError) as error:
        raise SettingsError("checkpoint", str(where), f"a checkpoint of `syncline model train` ({error!r})") from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that whoever reads it, also after a crash, finds the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    if hasattr(os, "O_DIRECTORY"):  # the rename itself must reach the disk too; Windows has no way to ask for it
        folder = os.open(path.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _take_apart(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {TENSOR: name}
    if isinstance(value, Mapping):
        return {ITEMS: [[key, _take_apart(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_take_apart(item, f"{name}/{i}", tensors) for i, item in enumerate(value)]
    return value


def _put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_put_together(item, tensors) for item in value]
    if isinstance(value, dict):
        if TENSOR in value:
            return tensors[value[TENSOR]]
        return {key: _put_together(item, tensors) for key, item in value[ITEMS]}
    return value
