"""Degraded media are as bad as the protocol says, no worse, and the same each time."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from models.evaluation.protocol import conditions
from models.evaluation.scores.conditions import degrade_picture, degrade_speech
from tests.support.tiny_corpus import png


def tone(rate_hz: int = 16_000, pitch_hz: float = 440.0) -> bytes:
    """A second of one tone, as a WAV file."""
    out = io.BytesIO()
    soundfile.write(out, 0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(rate_hz) / rate_hz), rate_hz, format="WAV")
    return out.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """RGBA values of a picture file."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050])
def test_speech_is_in_a_telephones_band_with_as_much_noise(rate_hz: int) -> None:
    """The file has 8,000 samples a second, and half of its power is noise: 0 dB."""
    samples, made_hz = soundfile.read(io.BytesIO(degrade_speech(tone(rate_hz), "cat", conditions())))
    assert made_hz == 8_000
    at = np.arange(len(samples)) * 2 * np.pi * 440 / 8_000
    along = [2 * np.mean(samples * wave(at)) for wave in (np.sin, np.cos)]
    power, tone_power = np.mean(samples**2), (along[0] ** 2 + along[1] ** 2) / 2
    assert 10 * np.log10(tone_power / (power - tone_power)) == pytest.approx(0, abs=0.5)
    assert np.abs(samples).max() < 0.95


def test_nothing_above_the_band_is_left() -> None:
    """A tone above 4 kHz is gone: what is left is noise as loud as what little got through."""
    samples, _ = soundfile.read(io.BytesIO(degrade_speech(tone(pitch_hz=6_000.0), "cat", conditions())))
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    assert spectrum.max() < 0.02 * spectrum.sum()


@pytest.mark.parametrize("name", ["cat", "dog", "red-apple", "sun"])
def test_forty_hundredths_of_a_picture_are_covered(name: str) -> None:
    """One rectangle of one opaque colour hides 40 % of the pixels; the rest is as it was."""
    before, after = pixels(png(1, 96)), pixels(degrade_picture(png(1, 96), name, conditions()))
    assert before.shape == after.shape
    changed = (before != after).any(2)
    assert changed.mean() == pytest.approx(0.4, abs=0.02)
    assert len(np.unique(after[changed], axis=0)) == 1
    rows, columns = np.nonzero(changed)
    box = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert changed.sum() > 0.97 * box


def test_the_same_name_is_degraded_alike() -> None:
    """One name, one result; another name, another place and another noise."""
    for degrade, data in ((degrade_picture, png(1)), (degrade_speech, tone())):
        assert degrade(data, "cat", conditions()) == degrade(data, "cat", conditions())
        assert degrade(data, "cat", conditions()) != degrade(data, "dog", conditions())
