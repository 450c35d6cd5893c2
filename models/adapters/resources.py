"""Picks a model's device, and checks that it fits into memory before it is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from syncline.errors import SettingsError


def pick_device() -> torch.device:
    """CUDA if there is a GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


_SHARE = 1.2
"""Memory by weights: activations, the tokenizer and copies while reading come on top."""
_ROOM = 200 * 2**20
_CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def check_fits(model: str, files: Iterable[Path], device: str = "cpu", n_bytes: int = 0) -> None:
    """Refuse a model that needs more memory than is free. Does nothing where free memory is unknown.

    Args:
        model (str): its name, for the error.
        files (Iterable[Path]): what is loaded as it is.
        device (str): `cpu` or `cuda`. Default `cpu`.
        n_bytes (int): the size in memory of all else, bytes. Default 0.

    Raises:
        SettingsError: it does not fit; with what it needs and what is free.
    """
    needed = int((sum(path.stat().st_size for path in files) + n_bytes) * _SHARE) + _ROOM
    free = free_bytes(device)
    if free is not None and needed > free:
        what = "GPU memory" if device == "cuda" else "memory"
        raise SettingsError(
            "model", model, f"a model that fits: it needs about {_gib(needed)} of {what}, {_gib(free)} are free"
        )


def free_bytes(device: str) -> int | None:
    """Free bytes of `cpu` (the machine and its container) or `cuda`; None where unknown."""
    if device == "cuda":
        return _free_of_gpu()
    said = [amount for amount in (_available(), *(_left_of_cgroup(*paths) for paths in _CGROUPS)) if amount is not None]
    return min(said, default=None)


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        return None
    return next((int(line.split()[1]) * 1_024 for line in lines if line.startswith("MemAvailable:")), None)


def _left_of_cgroup(limit: Path, used: Path) -> int | None:
    try:
        return max(0, int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):  # not there, or `max`
        return None


def _free_of_gpu() -> int | None:
    try:
        import torch
    except ImportError:
        return None
    return int(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else None


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"
