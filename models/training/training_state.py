"""A checkpoint's content: tensors, plain values and the state of all random generators, as one safetensors file."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from syncline.errors import SettingsError

SKELETON = "skeleton"
TENSOR, ITEMS = "~tensor", "~items"
"""What stands in the JSON for a tensor (its name) and for a mapping (its items, since JSON keys are strings)."""

State = dict[str, Any]
"""Tensors, numbers, strings, None, lists and mappings of them."""


def pack(state: State) -> bytes:
    """Write a state as a safetensors file. What is no tensor goes into its metadata, as JSON."""
    tensors: dict[str, Tensor] = {}
    skeleton = _take_apart(state, "", tensors)
    return save(tensors, {SKELETON: json.dumps(skeleton)})


def unpack(data: bytes, where: object) -> State:
    """Read a packed state; tuples come back as lists.

    Raises:
        SettingsError: the bytes are no packed state; the error names `where`.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        skeleton = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][SKELETON])
        return _put_together(skeleton, load(data))
    except (KeyError, ValueError, SafetensorError) as error:
        raise SettingsError("checkpoint", str(where), f"a checkpoint of `syncline model train` ({error!r})") from error


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


_LEAVES = (str, bytes, int, float, bool, type(None), Tensor, np.ndarray, nn.Module, type, torch.device, torch.dtype)


class Draws:
    """The random generators and kept attributes below `root`, by path, and the global generators."""

    def __init__(self, root: object) -> None:
        self._generators: dict[str, Any] = {}
        self._kept: dict[str, tuple[object, str]] = {}
        self._seen: dict[int, object] = {}
        self._walk(root, "")
        for name, value in getattr(root, "__dict__", {}).items():
            if isinstance(value, int | float):
                self._kept[f".{name}"] = (root, name)

    def state(self) -> State:
        """The state that `restore` takes."""
        return {
            "global": _global_state(),
            "generators": {path: _get(generator) for path, generator in self._generators.items()},
            "kept": {path: getattr(holder, name) for path, (holder, name) in self._kept.items()},
        }

    def restore(self, state: State) -> None:
        """Restore a state.

        Raises:
            SettingsError: it has other generators or attributes.
        """
        for mine, theirs in ((self._generators, state["generators"]), (self._kept, state["kept"])):
            if mine.keys() != theirs.keys():
                raise SettingsError("checkpoint", sorted(theirs), f"what this version draws from: {sorted(mine)}")
        _set_global(state["global"])
        for path, generator in self._generators.items():
            _set(generator, state["generators"][path])
        for path, (holder, name) in self._kept.items():
            setattr(holder, name, state["kept"][path])

    def _walk(self, value: object, path: str) -> None:
        if isinstance(value, _LEAVES) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, torch.Generator | np.random.Generator | random.Random):
            self._generators[path] = value
            return
        for name in getattr(type(value), "RESUMED", ()):
            self._kept[f"{path}.{name}"] = (value, name)
        for name, inner in _inside(value):
            self._walk(inner, f"{path}.{name}")


def _inside(value: object) -> Iterable[tuple[str, object]]:
    """The attributes, fields or items of an object, by name."""
    if isinstance(value, Mapping):
        return ((str(key), item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return ((str(i), item) for i, item in enumerate(value))
    if fields := getattr(value, "__struct_fields__", ()):
        return ((name, getattr(value, name)) for name in fields)
    return list(getattr(value, "__dict__", {}).items())


def _get(generator: Any) -> Any:
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    return generator.bit_generator.state if isinstance(generator, np.random.Generator) else generator.getstate()


def _set(generator: Any, state: Any) -> None:
    if isinstance(generator, torch.Generator):
        generator.set_state(state)
    elif isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    else:
        generator.setstate(_python_state(state))


def _global_state() -> State:
    name, keys, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [name, np.asarray(keys).tolist(), *rest],
        "python": random.getstate(),
    }


def _set_global(state: State) -> None:
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():  # on another machine there is no one right way
        torch.cuda.set_rng_state_all(state["cuda"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    random.setstate(_python_state(state["python"]))


def _python_state(state: Any) -> Any:
    version, numbers, gauss = state
    return version, tuple(numbers), gauss
