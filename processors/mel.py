"""Log-mel spectrograms in numpy, computed in float64 so that quiet bands beside loud ones are right.

Without a matrix product: OpenBLAS would run this small one on all cores, which took 22 ms on busy cores, not 0.5 ms.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from processors.settings import AudioSettings

_FRAMES_AT_ONCE = 64


def n_frames_of(n_samples: int, settings: AudioSettings) -> int:
    """Return the number of frames: one, plus one for each hop begun after the first window."""
    window, hop = _lengths(settings)
    return 1 + max(0, -(-(n_samples - window) // hop))


def log_mel(samples: npt.NDArray[np.float32], settings: AudioSettings) -> npt.NDArray[np.float32]:
    """Compute the log-mel spectrogram: float32 (n_samples,) at `rate_hz` to float32 (n_mels, n_frames).

    Frame i has samples i * hop to i * hop + window, zeros past the end, times a periodic Hann window, padded with
    zeros to `n_fft`. Power is |rfft|^2. Bands are triangles of height 1, not area-normalised, with corners evenly
    spaced from `fmin_hz` to `fmax_hz` on HTK's mel scale 2595 log10(1 + f / 700). A band without a bin has no power.
    The value is ln(max(power, log_floor)).
    """
    window_length, hop = _lengths(settings)
    n_frames = n_frames_of(len(samples), settings)
    padded = np.zeros((n_frames - 1) * hop + window_length, np.float64)
    padded[: len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_length)[::hop]
    window = _window(window_length)
    out = np.empty((settings.n_mels, n_frames), np.float32)
    for at in range(0, n_frames, _FRAMES_AT_ONCE):  # fits the cache: half the time of 256
        block = frames[at : at + _FRAMES_AT_ONCE]
        buffer = np.zeros((len(block), settings.n_fft), np.float64)
        np.multiply(block, window, out=buffer[:, :window_length])
        bands = _band_power(np.fft.rfft(buffer), settings)
        out[:, at : at + _FRAMES_AT_ONCE] = np.log(np.maximum(bands, settings.log_floor)).T
    return out


def _band_power(spectrum: npt.NDArray[np.complex128], settings: AudioSettings) -> npt.NDArray[np.float64]:
    """Compute band power: complex (n_frames, n_bins) to float64 (n_frames, n_mels).

    Between two corners one band rises while the one before falls, so two sums for each gap give all bands.
    """
    gaps = _gaps(settings)
    part = spectrum[:, gaps.first : gaps.end]
    power = part.real**2 + part.imag**2
    rising = np.zeros((len(spectrum), settings.n_mels + 1), np.float64)
    falling = np.zeros_like(rising)
    if len(gaps.starts):
        rising[:, gaps.filled] = np.add.reduceat(power * gaps.rise, gaps.starts, axis=1)
        falling[:, gaps.filled] = np.add.reduceat(power, gaps.starts, axis=1)
        falling -= rising
    return rising[:, :-1] + falling[:, 1:]


class _Gaps(msgspec.Struct, frozen=True):
    """The gaps between corners: they cover bins `first` to `end`; the gaps `filled` have bins, from `starts` on.

    rise: each bin's height in the rising band, float64 (end - first,).
    """

    first: int
    end: int
    filled: npt.NDArray[Any]
    starts: npt.NDArray[Any]
    rise: npt.NDArray[np.float64]


@lru_cache(maxsize=16)
def _gaps(settings: AudioSettings) -> _Gaps:
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (settings.fmin_hz, settings.fmax_hz))
    mels: npt.NDArray[np.float64] = np.linspace(low, high, settings.n_mels + 2)
    corners_hz: npt.NDArray[np.float64] = 700 * (10 ** (mels / 2595) - 1)
    bins_hz = np.arange(settings.n_fft // 2 + 1) * (settings.rate_hz / settings.n_fft)
    bounds = np.searchsorted(bins_hz, corners_hz)
    widths = np.diff(bounds)
    first, end = int(bounds[0]), int(bounds[-1])
    filled = np.flatnonzero(widths)
    gap_of_bin = np.repeat(np.arange(len(widths)), widths)
    rise = (bins_hz[first:end] - corners_hz[gap_of_bin]) / np.diff(corners_hz)[gap_of_bin]
    return _Gaps(first, end, filled, bounds[filled] - first, rise)


@lru_cache(maxsize=16)
def _window(length: int) -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def _lengths(settings: AudioSettings) -> tuple[int, int]:
    """Return window and hop in samples."""
    return settings.rate_hz * settings.window_ms // 1_000, settings.rate_hz * settings.hop_ms // 1_000
