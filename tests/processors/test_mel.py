"""Log-mel against a plain reference: loops, a written-out Fourier transform, no tricks."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from processors.mel import log_mel, n_frames_of
from processors.settings import AudioSettings

SMALL = AudioSettings(rate_hz=2_000, n_fft=64, n_mels=12, fmin_hz=30, fmax_hz=1_000)


def reference(samples: list[float], settings: AudioSettings) -> list[list[float]]:
    """Log-mel by the book: for each frame and band, sums over samples and bins in plain Python floats."""
    window = settings.rate_hz * settings.window_ms // 1_000
    hop = settings.rate_hz * settings.hop_ms // 1_000
    n_frames = 1
    while (n_frames - 1) * hop + window < len(samples):
        n_frames += 1
    to_mel = lambda hz: 2595 * math.log10(1 + hz / 700)  # noqa: E731 - the formula as it is written
    low, high = to_mel(settings.fmin_hz), to_mel(settings.fmax_hz)
    step = (high - low) / (settings.n_mels + 1)
    corners = [700 * (10 ** ((low + i * step) / 2595) - 1) for i in range(settings.n_mels + 2)]
    bands: list[list[float]] = [[] for _ in range(settings.n_mels)]
    for frame in range(n_frames):
        part = [samples[frame * hop + i] if frame * hop + i < len(samples) else 0.0 for i in range(window)]
        part = [x * (0.5 - 0.5 * math.cos(2 * math.pi * i / window)) for i, x in enumerate(part)]
        power = [dft_power(part, k, settings.n_fft) for k in range(settings.n_fft // 2 + 1)]
        for band in range(settings.n_mels):
            total = 0.0
            for k, value in enumerate(power):
                hz = k * settings.rate_hz / settings.n_fft
                left, middle, right = corners[band : band + 3]
                if left < hz <= middle:
                    total += value * (hz - left) / (middle - left)
                elif middle < hz < right:
                    total += value * (right - hz) / (right - middle)
            bands[band].append(math.log(max(total, settings.log_floor)))
    return bands


def dft_power(part: list[float], k: int, n_fft: int) -> float:
    """|X_k|^2 of a frame padded with zeros to `n_fft`."""
    real = sum(x * math.cos(2 * math.pi * k * i / n_fft) for i, x in enumerate(part))
    imaginary = sum(x * math.sin(2 * math.pi * k * i / n_fft) for i, x in enumerate(part))
    return real * real + imaginary * imaginary


@pytest.mark.parametrize("n_samples", [1, 19, 50, 51, 70, 71, 400])
def test_noise_agrees_with_the_reference(n_samples: int) -> None:
    """Random samples of lengths around the framing's edges, within 1e-4."""
    rng = random.Random(n_samples)
    samples = np.asarray([rng.uniform(-1, 1) for _ in range(n_samples)], np.float32)
    expected = reference([float(x) for x in samples], SMALL)
    np.testing.assert_allclose(log_mel(samples, SMALL), expected, atol=1e-4)


@pytest.mark.parametrize("hz", [60, 440, 999])
def test_a_loud_sine_beside_silence_agrees_with_the_reference(hz: int) -> None:
    """The bands that hear next to nothing are right too: float32 inside would be off by whole units."""
    samples = (30_000 * np.sin(2 * np.pi * hz * np.arange(300) / 2_000)).astype(np.float32)
    expected = reference([float(x) for x in samples], SMALL)
    np.testing.assert_allclose(log_mel(samples, SMALL), expected, atol=1e-4)


def test_the_default_settings_agree_with_the_reference() -> None:
    """Two frames at 16 kHz with 64 bands."""
    settings = AudioSettings()
    rng = random.Random(5)
    samples = np.asarray([rng.gauss(0, 0.1) for _ in range(500)], np.float32)
    found = log_mel(samples, settings)
    assert found.shape == (64, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference([float(x) for x in samples], settings), atol=1e-4)


def test_bands_too_narrow_for_a_bin_are_silent() -> None:
    """More bands than bins: the empty ones are at the floor, and nothing of the others is lost."""
    settings = AudioSettings(rate_hz=2_000, n_fft=64, n_mels=80, fmin_hz=30, fmax_hz=1_000)
    samples = np.random.default_rng(1).standard_normal(60).astype(np.float32)
    np.testing.assert_allclose(log_mel(samples, settings), reference(samples.tolist(), settings), atol=1e-4)


def test_silence_is_the_floor() -> None:
    """All bands at ln(log_floor)."""
    found = log_mel(np.zeros(16_000, np.float32), AudioSettings())
    np.testing.assert_allclose(found, math.log(1e-10), rtol=1e-6)


@pytest.mark.parametrize(("n_samples", "n_frames"), [(1, 1), (400, 1), (401, 2), (560, 2), (561, 3), (80_000, 499)])
def test_a_frame_for_each_hop_begun(n_samples: int, n_frames: int) -> None:
    """Window 400, hop 160 at 16 kHz."""
    assert n_frames_of(n_samples, AudioSettings()) == n_frames
    assert log_mel(np.zeros(n_samples, np.float32), AudioSettings()).shape == (64, n_frames)
