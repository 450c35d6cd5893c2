"""Reads a pickle of tensors with `weights_only` and writes them as safetensors; run in a process of its own.

    python -I unpickle.py IN OUT

Exit code 1 and a line on stderr where the file holds anything but tensors. Imports nothing of Syncline.
"""

from __future__ import annotations

import pickle  # nosec B403  (its error alone)
import re
import sys
from typing import Any

import torch
from safetensors.torch import save_file

NESTS = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Where training programs put the state dict inside their checkpoints."""


def main() -> None:
    """Convert, or say in one line why not."""
    source, target = sys.argv[1:]
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
        save_file(state_dict(loaded), target)
    except Exception as error:  # pickle, zip and torch have a dozen kinds, and a hostile file finds more
        print(in_words(error), file=sys.stderr)  # noqa: T201
        sys.exit(1)


def in_words(error: Exception) -> str:
    """An error in one line. Torch's own message advises to trust the file, which is wrong."""
    text = " ".join(str(error).split())
    if isinstance(error, pickle.UnpicklingError):
        found = re.search(r"GLOBAL (\S+)", text)
        return f"it names {found[1]}, which is no tensor" if found else "it is no torch file, or broken"
    return f"{type(error).__name__}: {text[:300]}"


def state_dict(loaded: Any) -> dict[str, torch.Tensor]:
    """Name to tensor, each a copy.

    Raises:
        ValueError: it is not a state dict.
    """
    for nest in NESTS:
        if isinstance(loaded, dict) and isinstance(loaded.get(nest), dict):
            loaded = loaded[nest]
    if not isinstance(loaded, dict) or not loaded:
        raise ValueError(f"holds a {type(loaded).__name__}, not a state dict")
    wrong = [f"{name!r} ({type(value).__name__})" for name, value in loaded.items() if not _is_tensor(name, value)]
    if wrong:
        raise ValueError(f"a state dict maps names to tensors; it has {', '.join(wrong[:5])}")
    return {name: value.detach().contiguous().clone() for name, value in loaded.items()}


def _is_tensor(name: Any, value: Any) -> bool:
    return isinstance(name, str) and isinstance(value, torch.Tensor) and value.layout == torch.strided


if __name__ == "__main__":
    main()
