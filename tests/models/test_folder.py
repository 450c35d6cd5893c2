"""Weights on the way to a folder and back."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.folder import load_weights, pack_weights


class Small(nn.Module):
    """A learned matrix, and a measured one."""

    def __init__(self) -> None:
        super().__init__()
        self.learned = nn.Parameter(torch.rand(3, 5))
        self.register_buffer("measured", torch.rand(3, 5))


def test_what_was_learned_is_kept_by_half_and_what_was_measured_in_full() -> None:
    """Learned matrices come back rounded to half precision, buffers to the last bit; both as float32."""
    torch.manual_seed(0)
    one, other = Small(), Small()
    load_weights(other, pack_weights(one), Path("weights.safetensors"))
    assert torch.equal(other.learned, one.learned.half().float())
    assert torch.equal(other.get_buffer("measured"), one.get_buffer("measured"))
    assert not torch.equal(other.learned, one.learned)
