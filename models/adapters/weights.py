"""Weights are safetensors or ONNX: everything else is a pickle, which is a program, and is never opened here."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path

from syncline.errors import SettingsError

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt", ".h5", ".keras")
CONVERT = "syncline model convert IN OUT.safetensors"


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a folder. Raises SettingsError, naming `syncline model convert`, where it has none."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES) if folder.is_dir() else []
        raise SettingsError("model", str(folder), f"a folder with *.safetensors{_advice(pickles)}")
    return found


def weight_file(path: Path, suffix: str = ".safetensors") -> Path:
    """The path, if it is a file of that suffix. Raises SettingsError, naming `syncline model convert`."""
    if path.suffix != suffix:
        raise SettingsError("model", str(path), f"a {suffix} file{_advice([path.name])}")
    if not path.is_file():
        raise SettingsError("model", str(path), f"a {suffix} file; there is none")
    return path


def float32_bytes(files: Iterable[Path]) -> int:
    """How many bytes the tensors of safetensors files take as float32. Raises SettingsError for a broken header."""
    n_values = 0
    for path in files:
        try:
            with path.open("rb") as file:
                (n_header,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(min(n_header, 100 * 2**20)))
            n_values += sum(math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
        except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError("model", str(path), f"a whole safetensors file ({error})") from error
    return 4 * n_values


def _advice(pickles: list[str]) -> str:
    if not any(name.endswith(PICKLES) for name in pickles):
        return ""
    return f"; {', '.join(pickles)} may hold a program and is not opened: {CONVERT}"
