"""Log-mel spectrograms in numpy: float64 inside, so that quiet bands beside loud ones are right."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from processors.settings import AudioSettings

_FRAMES_AT_ONCE = 512


def n_frames_of(n_samples: int, settings: AudioSettings) -> int:
    """How many frames `n_samples` give: one, and one more for each hop begun past the first window."""
    window, hop = _lengths(settings)
    return 1 + max(0, -(-(n_samples - window) // hop))


def log_mel(samples: npt.NDArray[np.float32], settings: AudioSettings) -> npt.NDArray[np.float32]:
    """Natural logarithm of mel-band power: float32 (n_samples,) at `rate_hz` to float32 (n_mels, n_frames).

    Frame i holds samples i * hop to i * hop + window, zeros past the end, times a periodic Hann window, padded with
    zeros to `n_fft`. Power = |rfft|^2. Bands are triangles of height 1 whose corners lie evenly between `fmin_hz` and
    `fmax_hz` on the mel scale 2595 log10(1 + f / 700) (HTK's), without area normalisation.
    Value = ln(max(power, log_floor)).
    """
    window_length, hop = _lengths(settings)
    n_frames = n_frames_of(len(samples), settings)
    padded = np.zeros((n_frames - 1) * hop + window_length, np.float64)
    padded[: min(len(samples), len(padded))] = samples[: len(padded)]
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_length)[::hop]
    window, bands = _window(window_length), mel_bands(settings)
    out = np.empty((settings.n_mels, n_frames), np.float32)
    for at in range(0, n_frames, _FRAMES_AT_ONCE):  # bounds memory, and stays in the cache
        spectrum = np.fft.rfft(frames[at : at + _FRAMES_AT_ONCE] * window, settings.n_fft)
        power = spectrum.real**2 + spectrum.imag**2
        out[:, at : at + _FRAMES_AT_ONCE] = np.log(np.maximum(bands @ power.T, settings.log_floor))
    return out


@lru_cache(maxsize=16)
def mel_bands(settings: AudioSettings) -> npt.NDArray[np.float64]:
    """The weight of each rfft bin in each band: float64 (n_mels, n_fft // 2 + 1), read-only."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (settings.fmin_hz, settings.fmax_hz))
    mels: npt.NDArray[np.float64] = np.linspace(low, high, settings.n_mels + 2)
    corners_hz: npt.NDArray[np.float64] = 700 * (10 ** (mels / 2595) - 1)
    bins_hz = np.arange(settings.n_fft // 2 + 1) * (settings.rate_hz / settings.n_fft)
    left, centre, right = corners_hz[:-2, None], corners_hz[1:-1, None], corners_hz[2:, None]
    bands = np.maximum(0, np.minimum((bins_hz - left) / (centre - left), (right - bins_hz) / (right - centre)))
    bands.flags.writeable = False
    return bands


@lru_cache(maxsize=16)
def _window(length: int) -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def _lengths(settings: AudioSettings) -> tuple[int, int]:
    """Window and hop in samples."""
    return settings.rate_hz * settings.window_ms // 1_000, settings.rate_hz * settings.hop_ms // 1_000
