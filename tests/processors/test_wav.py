"""Our own WAV reader: every sample format against libsndfile, and headers that lie."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from processors.wav import mean_channels, read_wav_format, wav_mono
from syncline.errors import MediaError
from tests.support.media import EXTENSIBLE, FLOAT, PCM, sine, sound_file, wav

SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]


def mono(data: bytes) -> np.ndarray:
    """Header and samples in one call."""
    return wav_mono(data, read_wav_format(data))


@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_every_sample_format_gives_the_samples_back(kind: str, subtype: str) -> None:
    """What libsndfile wrote is read within the step of its sample format."""
    samples = sine(seconds=0.01)
    found = mono(sound_file(samples, 16_000, kind, subtype))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, samples[:, 0], atol=1 / 120 if subtype == "PCM_U8" else 2**-15)


@pytest.mark.parametrize(
    ("body", "code", "bits", "expected"),
    [
        (bytes([0, 128, 255]), PCM, 8, [-1, 0, 127 / 128]),
        (struct.pack("<3h", -(2**15), 0, 2**15 - 1), PCM, 16, [-1, 0, 1 - 2**-15]),
        (b"\0\0\x80" + bytes(3) + b"\xff\xff\x7f", PCM, 24, [-1, 0, 1 - 2**-23]),
        (struct.pack("<3i", -(2**31), 0, 2**30), PCM, 32, [-1, 0, 0.5]),
        (struct.pack("<3f", -1, 0, 1.5), FLOAT, 32, [-1, 0, 1.5]),
        (struct.pack("<3d", -1, 0, 1.5), FLOAT, 64, [-1, 0, 1.5]),
    ],
)
def test_full_scale_is_one(body: bytes, code: int, bits: int, expected: list[float]) -> None:
    """The lowest sample is -1, the middle 0."""
    np.testing.assert_array_equal(mono(wav(body, code=code, bits=bits)), np.asarray(expected, np.float32))


@pytest.mark.parametrize(("subtype", "code"), [("ALAW", 6), ("ULAW", 7)])
def test_telephone_samples_are_those_of_libsndfile(subtype: str, code: int) -> None:
    """All 256 bytes of G.711, in two channels at 8 kHz."""
    body = np.repeat(np.arange(256, dtype=np.uint8), 2).tobytes()
    data = wav(body, code=code, bits=8, rate_hz=8_000, n_channels=2)
    expected, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_array_equal(mono(data), expected[:, 0])
    written = sound_file(sine(seconds=0.01), 8_000, "WAV", subtype)
    assert read_wav_format(written).code == code


@pytest.mark.parametrize("n_channels", [1, 2, 3, 64, 255])
def test_channels_are_averaged(n_channels: int) -> None:
    """Channel c holds c / n in every frame, so the mean is (n - 1) / 2n."""
    frame = np.arange(n_channels, dtype="<f4") / n_channels
    data = wav(np.tile(frame, 5_000).tobytes(), code=FLOAT, bits=32, n_channels=n_channels)
    np.testing.assert_allclose(mono(data), np.full(5_000, (n_channels - 1) / 2 / n_channels), rtol=1e-5)


def test_mean_channels_is_the_mean() -> None:
    """By columns or by numpy, the same."""
    block = np.random.default_rng(2).standard_normal((50, 7))
    np.testing.assert_allclose(mean_channels(block), block.mean(axis=1))


def test_a_length_that_a_pipe_could_not_know_means_to_the_end() -> None:
    """0xFFFFFFFF in both lengths is what programs write that cannot seek back."""
    body = struct.pack("<4h", 1, 2, 3, 4)
    assert len(mono(wav(body, riff_length=0xFFFFFFFF, data_length=0xFFFFFFFF))) == 4


def test_other_chunks_are_skipped() -> None:
    """A LIST chunk of odd length, with its padding, before the samples and after them."""
    data = wav(struct.pack("<4h", 1, 2, 3, 4))
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    data = data[:12] + extra + data[12:] + extra
    assert len(mono(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])) == 4


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (wav(bytes(8), data_length=9), "audio_header"),
        (wav(bytes(8), data_length=2**31), "audio_header"),
        (wav(bytes(8), data_length=2**32 - 2), "audio_header"),
        (wav(bytes(8), riff_length=2**31), "audio_header"),
        (wav(bytes(7)), "audio_header"),
        (wav(bytes(8), block_bytes=3), "audio_header"),
        (wav(bytes(8), block_bytes=0), "audio_header"),
        (wav(bytes(8), n_channels=0), "audio_too_many_channels"),
        (wav(bytes(8), bits=12), "audio_codec_unknown"),
        (wav(bytes(8), bits=0), "audio_codec_unknown"),
        (wav(bytes(8), code=FLOAT, bits=16), "audio_codec_unknown"),
        (wav(bytes(8), code=0x11, bits=4), "audio_codec_unknown"),
        (wav(bytes(8), code=7, bits=16), "audio_codec_unknown"),
        (wav(bytes(8), code=6, bits=4), "audio_codec_unknown"),
        (wav(bytes(8), code=EXTENSIBLE), "audio_header"),
        (wav(bytes(8), code=EXTENSIBLE, extensible=0x11), "audio_codec_unknown"),
        (
            wav(bytes(8), code=EXTENSIBLE, extensible=PCM).replace(b"\xaa\x00\x38", b"\xaa\x00\x39"),
            "audio_codec_unknown",
        ),
        (wav(bytes(8))[:12], "audio_header"),
        (wav(bytes(8)).replace(b"data", b"date"), "audio_header"),
        (wav(bytes(8)).replace(b"fmt ", b"fmx "), "audio_header"),
        (wav(bytes(8))[:12] + wav(bytes(8))[12:36] * 2 + wav(bytes(8))[36:], "audio_header"),
        (wav(bytes(8)).replace(b"fmt \x10", b"fmt \x0f"), "audio_header"),
        (wav(bytes(20_000))[:12] + b"abcd\0\0\0\0" * 2_000, "audio_header"),
    ],
)
def test_each_lie_has_its_reason(data: bytes, reason: str) -> None:
    """Lengths, formats and chunks that contradict each other or the bytes."""
    with pytest.raises(MediaError) as caught:
        read_wav_format(data)
    assert caught.value.reason == reason
