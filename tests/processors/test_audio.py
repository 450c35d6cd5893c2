"""Sound as a whole: every codec, rate and channel count to mono 16 kHz, limits, each fault's own reason."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from processors.audio import load_log_mel, load_mono
from processors.mel import log_mel
from processors.settings import AudioSettings
from syncline.errors import MediaError
from tests.support.media import FLOAT, sine, small_files, sound_file, wav

FILES = small_files()
CODECS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS")]


def loudest_hz(samples: np.ndarray) -> float:
    """The frequency of the highest peak, by a long Fourier transform."""
    windowed = samples * np.hanning(len(samples))
    return float(np.abs(np.fft.rfft(windowed, 2**17)).argmax()) * 16_000 / 2**17


@pytest.mark.parametrize("rate_hz", [1_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000])
def test_a_sine_keeps_its_frequency_at_every_rate(rate_hz: int) -> None:
    """437 Hz stay 437 Hz, and half a second stays half a second."""
    mono = load_mono(sound_file(sine(437, rate_hz), rate_hz, "WAV", "PCM_16"), "audio/wav")
    assert abs(len(mono) - 8_000) <= 1
    assert abs(loudest_hz(mono) - 437) < 1
    assert abs(np.abs(mono[1_000:-1_000]).max() - 0.5) < 0.01


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize(("kind", "subtype"), CODECS)
def test_every_codec_becomes_mono(kind: str, subtype: str, n_channels: int) -> None:
    """A sine comes back as itself, mono float32 at 16 kHz."""
    data = sound_file(sine(437, 48_000, n_channels=n_channels), 48_000, kind, subtype)
    mono = load_mono(data, f"audio/{kind.lower()}")
    assert mono.dtype == np.float32
    assert len(mono) == 8_000
    assert abs(loudest_hz(mono) - 437) < 1
    assert abs(np.abs(mono[1_000:-1_000]).max() - 0.5) < 0.1


@pytest.mark.parametrize("rate_hz", [8_000, 12_000, 16_000, 24_000])
def test_opus_is_read_at_every_rate_it_knows(rate_hz: int) -> None:
    """Inside it is always 48 kHz; libsndfile gives the rate it was made with."""
    mono = load_mono(sound_file(sine(437, rate_hz), rate_hz, "OGG", "OPUS"), "audio/ogg")
    assert abs(len(mono) - 8_000) <= 1
    assert abs(loudest_hz(mono) - 437) < 1


def test_frequencies_above_half_the_rate_do_not_come_back_as_others() -> None:
    """12 kHz at 48 kHz are gone at 16 kHz."""
    mono = load_mono(sound_file(sine(12_000, 48_000), 48_000, "WAV", "PCM_16"), "audio/wav")
    assert np.abs(mono[500:-500]).max() < 1e-3


def test_opposite_channels_cancel() -> None:
    """The mean of a sample and its negative is silence."""
    samples = np.concatenate([sine(), -sine()], axis=1)
    assert np.abs(load_mono(sound_file(samples, 16_000, "WAV", "FLOAT"), "audio/wav")).max() < 1e-6


def test_load_log_mel_is_log_mel_of_load_mono() -> None:
    """float32 (n_mels, n_frames)."""
    content_type, data = FILES["flac"]
    settings = AudioSettings(n_mels=20)
    found = load_log_mel(data, content_type, settings)
    assert found.shape == (20, 1)
    np.testing.assert_array_equal(found, log_mel(load_mono(data, content_type, settings), settings))


def floats(*values: float) -> bytes:
    """A 64-bit float WAV."""
    return wav(struct.pack(f"<{len(values)}d", *values), code=FLOAT, bits=64)


def flac_claiming(*, rate_hz: int = 16_000, n_frames: int = 320) -> bytes:
    """A FLAC whose STREAMINFO says something else than its frames."""
    data = FILES["flac"][1]
    packed = int.from_bytes(data[18:26], "big") & (2**44 - 2**36)
    return data[:18] + (packed | rate_hz << 44 | n_frames).to_bytes(8, "big") + data[26:]


@pytest.mark.parametrize(
    ("data", "content_type", "reason"),
    [
        (b"", "audio/wav", "empty"),
        (wav(bytes(60_000)), "audio/wav", "too_many_bytes"),
        (FILES["wav"][1], "audio/mpeg", "content_type_unknown"),
        (FILES["wav"][1], "audio/flac", "content_type_mismatch"),
        (FILES["flac"][1], "audio/ogg", "content_type_mismatch"),
        (FILES["webp"][1], "audio/wav", "content_type_mismatch"),
        (wav(b""), "audio/wav", "audio_no_samples"),
        (wav(bytes(2), rate_hz=384_000), "audio/wav", "audio_no_samples"),
        (wav(bytes(8), rate_hz=1), "audio/wav", "audio_sample_rate"),
        (wav(bytes(8), rate_hz=4_000_000_000), "audio/wav", "audio_sample_rate"),
        (wav(bytes(510), n_channels=255), "audio/wav", "audio_too_many_channels"),
        (wav(bytes(50_000), rate_hz=2_000), "audio/wav", "audio_too_many_seconds"),
        (wav(bytes(50_000), n_channels=2), "audio/wav", "audio_too_many_samples"),
        (floats(0, float("nan"), 0), "audio/wav", "audio_not_finite"),
        (floats(0, float("-inf")), "audio/wav", "audio_not_finite"),
        (floats(1e300), "audio/wav", "audio_not_finite"),
        (floats(1e30), "audio/wav", "audio_out_of_range"),
        (flac_claiming(rate_hz=0), "audio/flac", "audio_sample_rate"),
        (flac_claiming(n_frames=2**36 - 1), "audio/flac", "audio_too_many_seconds"),
        (flac_claiming(n_frames=9_000), "audio/flac", "audio_undecodable"),
        (FILES["flac"][1][:-30], "audio/flac", "audio_undecodable"),
        (FILES["flac"][1][:30], "audio/flac", "audio_header"),
        (FILES["opus"][1][:-1], "audio/ogg", "audio_header"),
    ],
)
def test_each_fault_has_its_own_reason(data: bytes, content_type: str, reason: str) -> None:
    """What is wrong stands in `reason`."""
    settings = AudioSettings(max_bytes=52_000, max_seconds=10, max_samples=22_000)
    with pytest.raises(MediaError) as caught:
        load_log_mel(data, content_type, settings)
    assert caught.value.reason == reason


def test_a_flac_that_does_not_say_its_length_is_read() -> None:
    """0 frames in the header means unknown."""
    assert len(load_mono(flac_claiming(n_frames=0), "audio/flac")) == 320


def test_a_flac_that_does_not_say_its_length_is_still_limited() -> None:
    """Twelve seconds of silence take a few KB."""
    data = sound_file(np.zeros((16_000 * 12, 1)), 16_000, "FLAC", "PCM_16")
    unknown = data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:]
    with pytest.raises(MediaError, match="audio_too_many_seconds"):
        load_mono(unknown, "audio/flac", AudioSettings(max_seconds=10))
