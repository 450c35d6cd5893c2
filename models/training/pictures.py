"""Training pictures: drawn from the packed corpus, and changed so that drawings of other styles look familiar."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

GREY = torch.tensor([0.299, 0.587, 0.114])
WHITE_SHARE = 0.5
"""How often the background is white, as preprocessing makes it; else a colour or a slope of two."""


class PictureSource:
    """Packed RGBA pictures, uint8 (n_concepts, n_styles, 4, H, W), drawn and changed by a generator."""

    def __init__(self, packed: Tensor, size: int, generator: torch.Generator) -> None:
        self._packed, self._size, self._generator = packed, size, generator

    def draw(self, concept: Tensor, strength: float = 1.0) -> Tensor:
        """A changed picture of each concept (B,) in a style drawn for it: float32 (B, 3, size, size) in [-1, 1]."""
        style = torch.randint(self._packed.shape[1], concept.shape, generator=self._generator)
        rgba = self._packed[concept, style].float() / 255
        solid = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)  # transparent pixels have no colour to smear
        turned = F.grid_sample(solid, self._grid(len(concept), strength), align_corners=False)
        pixels = turned[:, :3] + self._background(len(concept)) * (1 - turned[:, 3:])
        return self._worsen(self._recolour(pixels, strength), strength) * 2 - 1

    def _uniform(self, n: int, low: float, high: float) -> Tensor:
        return torch.empty(n).uniform_(low, high, generator=self._generator)

    def _grid(self, n: int, strength: float) -> Tensor:
        """Rotation up to 20 degrees, scale 0.8 to 1.3 (of the view), shear, shift up to 12 %, one in four mirrored."""
        angle = self._uniform(n, -1, 1) * math.radians(20) * strength
        wide = self._uniform(n, 0.8, 1.3) * torch.where(self._uniform(n, 0, 1) < 0.25, -1.0, 1.0)
        high = wide.abs() * self._uniform(n, 0.85, 1.18)
        shear = self._uniform(n, -0.12, 0.12)
        shift = torch.stack([self._uniform(n, -0.24, 0.24), self._uniform(n, -0.24, 0.24)], 1)
        top = torch.stack([wide * angle.cos(), shear - angle.sin() * high], 1)
        bottom = torch.stack([wide * angle.sin(), high * angle.cos()], 1)
        theta = torch.stack([top, bottom], 1)  # [n, 2, 2]
        return F.affine_grid(
            torch.cat([theta, shift[:, :, None]], 2), [n, 3, self._size, self._size], align_corners=False
        )

    def _background(self, n: int) -> Tensor:
        colours = torch.rand(n, 3, 2, generator=self._generator)
        colours[:, :, 1] += (colours[:, :, 0] - colours[:, :, 1]) * (self._uniform(n, 0, 1) < 0.5)[:, None]
        colours[self._uniform(n, 0, 1) < WHITE_SHARE] = 1
        slope = torch.linspace(0, 1, self._size)
        along = (colours[:, :, :1] * slope + colours[:, :, 1:] * (1 - slope))[:, :, None]  # [n, 3, 1, size]
        across = (self._uniform(n, 0, 1) < 0.5)[:, None, None, None]
        square = along.expand(-1, -1, self._size, -1)
        return torch.where(across, square, square.transpose(2, 3))

    def _recolour(self, pixels: Tensor, strength: float) -> Tensor:
        """Mix of channels, brightness, contrast; one in seven grey."""
        n = len(pixels)
        mix = torch.eye(3) + torch.randn(n, 3, 3, generator=self._generator) * 0.1 * strength
        grey = (self._uniform(n, 0, 1) < 0.15)[:, None, None]
        mix = torch.where(grey, GREY.expand(n, 3, 3), mix)
        pixels = torch.einsum("nij,njhw->nihw", mix, pixels)
        contrast = self._uniform(n, 0.7, 1.3)[:, None, None, None]
        return (pixels - 0.5) * contrast + 0.5 + self._uniform(n, -0.15, 0.15)[:, None, None, None]

    def _worsen(self, pixels: Tensor, strength: float) -> Tensor:
        """Blur, noise, and a hole in one of three."""
        n, size = len(pixels), self._size
        blur = self._uniform(n, -1, 1).clamp_min(0)[:, None, None, None] * strength
        pixels = pixels + blur * (F.avg_pool2d(pixels, 3, 1, 1, count_include_pad=False) - pixels)
        loud = self._uniform(n, -0.1, 0.1).clamp_min(0)[:, None, None, None] * strength
        pixels = pixels + loud * torch.randn(pixels.shape, generator=self._generator)
        at = torch.arange(size)
        inside = [(at[None] - self._uniform(n, 0, size)[:, None]).abs() < self._uniform(n, 3, 8)[:, None] for _ in "xy"]
        hole = inside[0][:, :, None] & inside[1][:, None] & (self._uniform(n, 0, 1) < 0.35)[:, None, None]
        return pixels.masked_fill(hole[:, None], 0.5).clamp(0, 1)
