"""Mel spectrograms as the synthesiser makes them (80 bands, one frame each 200 samples at 16 kHz), and back to
sound.
"""

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


N_ITERATIONS = 32
MOMENTUM = 0.99
N_REFINEMENTS = 8
"""Multiplications that bring the amplitudes' bands to the mel's, after the first guess."""

FADE = 80
"""Samples (5 ms) at either end over which sound comes from and goes to nothing."""

PEAK = 0.95
"""Louder is made as loud as this: it would be cut off otherwise."""


def amplitudes(log_mel: Tensor) -> Tensor:
    """(n_frames, N_MELS) to amplitudes (N_BINS, n_frames), none below 0, whose bands are as near as can be.

    Multiplicative steps for non-negative least squares: D. D. Lee, H. S. Seung (NIPS 2000).
    """
    mel, matrix = log_mel.exp().mT, bands()
    found = (_inverse() @ mel).clamp(min=1e-6)
    wanted = matrix.T @ mel
    for _ in range(N_REFINEMENTS):
        found = found * wanted / (matrix.T @ (matrix @ found)).clamp(min=1e-9)
    return found


def griffin_lim(amplitude: Tensor, n_iterations: int = N_ITERATIONS, seed: int = 0) -> Tensor:
    """Amplitudes (N_BINS, n_frames) to samples ((n_frames - 1) * HOP,); the same seed gives the same sound."""
    dice = torch.Generator().manual_seed(seed)
    phase = torch.polar(torch.ones_like(amplitude), torch.rand(amplitude.shape, generator=dice) * 6.2832)
    before = torch.zeros_like(phase)
    for _ in range(n_iterations):
        rebuilt = spectrum(_to_samples(amplitude * phase))
        phase = rebuilt + MOMENTUM * (rebuilt - before)
        phase = phase / phase.abs().clamp(min=1e-9)
        before = rebuilt
    return _to_samples(amplitude * phase)


@torch.inference_mode()
def to_sound(log_mel: Tensor, n_iterations: int = N_ITERATIONS) -> Tensor:
    """A log-mel (n_frames, N_MELS) to samples within -1 and 1 that begin and end in silence."""
    if len(log_mel) < 2:
        return torch.zeros(len(log_mel) * HOP)
    samples = griffin_lim(amplitudes(log_mel), n_iterations)
    samples = samples * (PEAK / samples.abs().max().clamp(min=PEAK))
    ramp = torch.linspace(0, 1, FADE)
    samples[:FADE] *= ramp
    samples[-FADE:] *= ramp.flip(0)
    return samples


def _to_samples(spectrogram: Tensor) -> Tensor:
    n_samples = (spectrogram.shape[-1] - 1) * HOP
    return torch.istft(spectrogram, N_FFT, HOP, WINDOW, window(), center=True, length=n_samples)


@cache
def _inverse() -> Tensor:
    """(N_BINS, N_MELS): each bin takes from the bands that it is in, by their size."""
    matrix = bands()
    return (matrix / matrix.sum(1, keepdim=True).clamp(min=1e-9)).T.reshape(N_BINS, -1)
