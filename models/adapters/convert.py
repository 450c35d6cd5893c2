"""Converts pickled weights to safetensors, in a process of its own. No program in a pickle is run."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from models.adapters.resources import check_fits
from models.adapters.weight_files import file_digest
from models.folder import PICKLES
from syncline.errors import SettingsError

SCRIPT = Path(__file__).with_name("unpickle.py")
MAX_RUN_S = 600


class ConvertedWeights(NamedTuple):
    """The file that was written: tensors, bytes, sha256."""

    path: Path
    n_tensors: int
    n_bytes: int
    sha256: str


def convert(source: Path, target: Path) -> ConvertedWeights:
    """Write the tensors of a torch pickle to a safetensors file, whole or not at all.

    Args:
        source (Path): .pt, .pth, .bin, .pkl or .ckpt; read by `torch.load(weights_only=True)` in a subprocess.
        target (Path): a .safetensors file that does not exist.

    Raises:
        SettingsError: the source is not a state dict of tensors or does not fit into memory twice, or the target
            exists.
    """
    if source.suffix not in PICKLES or not source.is_file():
        raise SettingsError("IN", str(source), f"a file that ends in {', '.join(PICKLES)}")
    if target.suffix != ".safetensors" or target.exists():
        raise SettingsError("OUT", str(target), "the path of a .safetensors file that is not there yet")
    if not target.absolute().parent.is_dir():
        raise SettingsError("OUT", str(target), "a path in a folder that is there")
    check_fits(str(source), [source], n_bytes=source.stat().st_size)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        _unpickle(source, part)
        n_tensors = _n_tensors(part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    return ConvertedWeights(target, n_tensors, target.stat().st_size, file_digest(target))


def _unpickle(source: Path, part: Path) -> None:
    command = [sys.executable, "-I", str(SCRIPT), str(source.absolute()), str(part.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_RUN_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise SettingsError("IN", str(source), f"a state dict that is read within {MAX_RUN_S} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"the process ended with {done.returncode}"]
        raise SettingsError("IN", str(source), f"a torch pickle with a state dict of tensors alone ({said[0]})")


def _n_tensors(path: Path) -> int:
    with path.open("rb") as file:
        (n_header,) = struct.unpack("<Q", file.read(8))
        header = msgspec.json.decode(file.read(n_header), type=dict[str, object])
    return len(header.keys() - {"__metadata__"})
