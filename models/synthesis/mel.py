"""Mel spectrograms as the synthesiser makes them: 80 bands, one frame each 200 samples at 16 kHz (12.5 ms)."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

SAMPLE_RATE_HZ = 16_000
HOP = 200
WINDOW = 800
N_FFT = 1024
N_MELS = 80
N_BINS = N_FFT // 2 + 1
FLOOR = 0.01
"""Amplitudes below are not told apart: 74 dB under a loud vowel's."""


@cache
def window() -> Tensor:
    """Hann's window, (WINDOW,)."""
    return torch.hann_window(WINDOW)


@cache
def bands() -> Tensor:
    """(N_MELS, N_BINS): triangles of height 1 with corners evenly on the mel scale 2595 log10(1 + f / 700) (HTK's)."""
    top = 2595 * math.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    corners_hz = 700 * (10 ** (torch.linspace(0, top, N_MELS + 2, dtype=torch.float64) / 2595) - 1)
    bins_hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, N_BINS, dtype=torch.float64)
    low, centre, high = (corners_hz[i : i + N_MELS, None] for i in range(3))
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    return torch.minimum(rising, falling).clamp(min=0).float()


def spectrum(samples: Tensor) -> Tensor:
    """(n_samples,) or (n_batch, n_samples) to complex (..., N_BINS, 1 + n_samples // HOP), frames centred."""
    return torch.stft(samples, N_FFT, HOP, WINDOW, window(), center=True, pad_mode="constant", return_complex=True)


def log_mel(samples: Tensor) -> Tensor:
    """(n_samples,) in [-1, 1] to the natural logarithm of each band's amplitude, (1 + n_samples // HOP, N_MELS)."""
    return torch.log((bands() @ spectrum(samples).abs()).clamp(min=FLOOR)).mT
