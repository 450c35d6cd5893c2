"""Layers over padded sequences whose answer for one sequence does not depend on what else is in the batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def mask_of(lengths: Tensor, n_steps: int) -> Tensor:
    """bool (n_batch, n_steps): True where a step is within its sequence."""
    return torch.arange(n_steps, device=lengths.device) < lengths[:, None]


class ConvBlock(nn.Module):
    """x + W relu(conv(norm(x))): past its end a sequence is zeros, as beyond the edge of a tensor."""

    def __init__(self, n_channels: int, kernel: int = 5, dilation: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)
        self.conv = nn.Conv1d(
            n_channels, n_channels, kernel, padding=dilation * (kernel - 1) // 2, dilation=dilation
        )  # fmt: skip
        self.out = nn.Linear(n_channels, n_channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (n_batch, n_steps, n_channels), mask bool (n_batch, n_steps) to the same shape as x."""
        inner = self.norm(x) * mask[..., None]
        inner = self.conv(inner.mT).mT
        return (x + self.dropout(self.out(nn.functional.relu(inner)))) * mask[..., None]


class ConvStack(nn.Module):
    """Convolutions one after the other, from `n_in` to `n_channels`; `dilations` says how wide each one looks."""

    def __init__(
        self, n_in: int, n_channels: int, dilations: tuple[int, ...], kernel: int = 5, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.into = nn.Linear(n_in, n_channels)
        self.blocks = nn.ModuleList(ConvBlock(n_channels, kernel, dilation, dropout) for dilation in dilations)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(n_batch, n_steps, n_in) to (n_batch, n_steps, n_channels)."""
        x = self.into(x) * mask[..., None]
        for block in self.blocks:
            x = block(x, mask)
        return x


class BiGru(nn.Module):
    """A GRU in both directions that stops at each sequence's end; `n_channels` in and out."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.gru = nn.GRU(n_channels, n_channels // 2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(n_batch, n_steps, n_channels), int64 (n_batch,) to the same shape as x."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]
