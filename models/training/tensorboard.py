"""TensorBoard logs of a phase, where the extra `train` is installed and they are wanted."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"


def is_installed() -> bool:
    """Whether TensorBoard can be imported."""
    return importlib.util.find_spec("tensorboard") is not None


class Board:
    """Writes OUT/tensorboard/PHASE from a step on; what an earlier attempt wrote of later steps is hidden."""

    def __init__(self, out: Path | None, phase: str, step: int) -> None:
        self._writer: Any = None
        if out is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(out / FOLDER / phase), purge_step=step or None)

    def add(self, group: str, values: Mapping[str, float], step: int) -> None:
        """Points of several curves, named `group/name`."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
