"""Where torch models of adapters run."""

from __future__ import annotations

import torch


def pick_device() -> torch.device:
    """CUDA where there is some."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
