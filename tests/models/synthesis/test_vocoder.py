"""Mel spectrograms to sound: near the mel that was asked for, without clicks, silent at both ends."""

from __future__ import annotations

import math

import pytest
import torch

from models.synthesis.mel import FLOOR, HOP, N_MELS, PEAK, SAMPLE_RATE_HZ, amplitudes, bands, log_mel, to_sound


def hum(seconds: float = 0.5) -> torch.Tensor:
    """A hum with harmonics, as a voice has, that swells and fades."""
    t = torch.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    wave = sum(torch.sin(2 * math.pi * 180 * k * t) / k for k in range(1, 15))
    assert isinstance(wave, torch.Tensor)
    return 0.2 * wave * torch.sin(math.pi * t / t[-1])


def test_every_band_holds_a_bin() -> None:
    """80 bands, each with some of the spectrum in it."""
    assert bands().shape[0] == N_MELS
    assert bands().max(1).values.min() > 0.1


def test_frames_are_counted() -> None:
    """One frame each 200 samples and one more; silence is the floor."""
    mel = log_mel(torch.zeros(10 * HOP))
    assert mel.shape == (11, N_MELS)
    torch.testing.assert_close(mel, torch.full_like(mel, math.log(FLOOR)))


def test_amplitudes_have_the_mel_that_was_asked_for() -> None:
    """The bands of the amplitudes found are those of the mel."""
    mel = log_mel(hum())
    again = (bands() @ amplitudes(mel)).mT.clamp(min=FLOOR).log()
    assert (again - mel).abs().mean() < 0.2


def test_sound_has_the_mel_that_was_asked_for() -> None:
    """The mel of the sound is near the mel it was made from, nearer after more iterations."""
    mel = log_mel(hum())
    loud = mel > -1  # what can be heard
    off = [(log_mel(to_sound(mel, n))[: len(mel)] - mel)[loud].abs().mean() for n in (1, 32)]
    assert off[1] < 0.3
    assert off[1] < off[0]


def test_sound_is_bounded_and_ends_in_silence() -> None:
    """Even a mel that is far too loud gives no sample beyond the peak, and both ends are nothing."""
    sound = to_sound(log_mel(hum()) + 3)
    assert sound.abs().max() <= PEAK + 1e-4
    assert max(abs(float(sound[0])), abs(float(sound[-1]))) == 0


def test_sound_repeats() -> None:
    """The same mel sounds the same to the bit."""
    mel = log_mel(hum(0.1))
    assert torch.equal(to_sound(mel), to_sound(mel))


@pytest.mark.parametrize("n_frames", [0, 1])
def test_too_short_is_silence(n_frames: int) -> None:
    """A mel of no or one frame is no more than silence."""
    assert to_sound(torch.zeros(n_frames, N_MELS)).abs().sum() == 0
