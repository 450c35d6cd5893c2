"""All chance in a phase of training, to save and to set again: global generators, and those that a task draws from.

A task and its sources hold generators (torch, numpy, random) in their attributes; `Draws` finds them there, and the
numbers that the task itself counts with, so that a new task is resumed exactly without a line of its own. What else of
an object must be kept (say, batches drawn ahead) its class names in `RESUMED`, a tuple of attribute names.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.training.snapshot import State
from syncline.errors import SettingsError

_LEAVES = (str, bytes, int, float, bool, type(None), Tensor, np.ndarray, nn.Module, type, torch.device, torch.dtype)


class Draws:
    """The generators and kept attributes below `root`, each by its path; the global generators beside them."""

    def __init__(self, root: object) -> None:
        self._generators: dict[str, Any] = {}
        self._kept: dict[str, tuple[object, str]] = {}
        self._seen: dict[int, object] = {}
        self._walk(root, "")
        for name, value in getattr(root, "__dict__", {}).items():
            if isinstance(value, int | float):
                self._kept[f".{name}"] = (root, name)

    def state(self) -> State:
        """What `restore` wants."""
        return {
            "global": _global_state(),
            "generators": {path: _get(generator) for path, generator in self._generators.items()},
            "kept": {path: getattr(holder, name) for path, (holder, name) in self._kept.items()},
        }

    def restore(self, state: State) -> None:
        """Set all as they were. Raises SettingsError where the run that was saved drew from others."""
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
    """What an object holds, by name."""
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
