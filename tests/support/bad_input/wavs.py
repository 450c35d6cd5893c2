"""WAV files that lie about themselves, or whose samples are no numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from tests.support.bad_input.case import FUSED, Case, media_case
from tests.support.media import EXTENSIBLE, FLOAT, PCM, wav

RATES_HZ = (0, 1, 999, 384_001, 4_000_000_000, 2**32 - 1)
"""Rates that no sound has."""


def wavs() -> Iterator[Case]:
    """All of them."""
    yield from _wav_samples()
    yield from _wav_formats()
    yield from _wav_lengths()


def _wav(kind: str, name: str, data: bytes, *expected: str) -> Case:
    return media_case(kind, f"wav {name}", "audio/wav", data, *expected)


def _wav_samples() -> Iterator[Case]:
    """Float samples that are no numbers, at the start, in the midst and at the end; and none at all."""
    for bits, dtype in ((32, np.float32), (64, np.float64)):
        for value in (np.nan, np.inf, -np.inf):
            for at in (0, 500, 999):
                samples = np.zeros(1_000, dtype)
                samples[at] = value
                data = wav(samples.tobytes(), code=FLOAT, bits=bits)
                yield _wav("no number", f"{bits} bits, {value} at {at}", data, "audio_not_finite")
        samples = np.full(1_000, 70_000, dtype)
        yield _wav(
            "no number",
            f"{bits} bits far too loud",
            wav(samples.tobytes(), code=FLOAT, bits=bits),
            "audio_out_of_range",
        )
    huge = np.full(8, 1e300)
    yield _wav("no number", "64 bits, 1e300", wav(huge.tobytes(), code=FLOAT, bits=64), "audio_not_finite")
    stereo = np.array([[np.inf, -np.inf]] * 8, np.float32)
    data = wav(stereo.tobytes(), code=FLOAT, bits=32, n_channels=2)
    yield _wav("no number", "two infinities that would be none", data, "audio_not_finite")
    yield _wav("no frames", "of 0 frames", wav(b""), "audio_no_samples")
    yield _wav("no frames", "of 1 frame at 384 kHz", wav(bytes(2), rate_hz=384_000), "audio_no_samples", FUSED)


def _wav_formats() -> Iterator[Case]:
    body = bytes(240)
    for rate_hz in RATES_HZ:
        yield _wav("rate", f"of {rate_hz} Hz", wav(body, rate_hz=rate_hz), "audio_sample_rate")
    for n_channels in (65, 255, 1_000):
        data = wav(bytes(n_channels * 4), n_channels=n_channels)
        yield _wav("channels", f"of {n_channels} channels", data, "audio_too_many_channels")
    for n_channels, block in ((0, 0), (0, 2), (65_535, 65_535 * 2 % 65_536)):
        data = wav(body, n_channels=n_channels, block_bytes=block)
        yield _wav(
            "channels", f"of {n_channels} channels, frames of {block}", data, "audio_header", "audio_too_many_channels"
        )
    for code, bits in (
        (PCM, 1),
        (PCM, 12),
        (PCM, 20),
        (PCM, 64),
        (PCM, 0),
        (FLOAT, 16),
        (2, 4),
        (6, 16),
        (7, 16),
        (0x55, 0),
        (0, 16),
    ):
        yield _wav("codec", f"of format {code}, {bits} bits", wav(body, code=code, bits=bits), "audio_codec_unknown")
    for sub in (0, 2, 0x55, 0xFFFE):
        data = wav(body, code=EXTENSIBLE, extensible=sub)
        yield _wav("codec", f"of sub-format {sub}", data, "audio_codec_unknown")
    yield _wav("codec", "extensible in name alone", wav(body, code=EXTENSIBLE), "audio_header")


def _wav_lengths() -> Iterator[Case]:
    body = bytes(240)
    for block in (0, 1, 3, 65_535):
        yield _wav("lying parts", f"with frames of {block} bytes", wav(body, block_bytes=block), "audio_header")
    yield _wav("lying parts", "with half a frame", wav(bytes(241)), "audio_header")
    for length in (2**31 - 1, 2**31, 2**32 - 2, 241):
        yield _wav("lying length", f"of data {length}", wav(body, data_length=length), "audio_header")
    for length in (2**31 - 1, 2**31, 2**32 - 2):
        yield _wav("lying length", f"of RIFF {length}", wav(body, riff_length=length), "audio_header")
    yield from _wav_parts(wav(body))


def _wav_parts(good: bytes) -> Iterator[Case]:
    head, fmt, samples = good[:12], good[12:36], good[36:]
    spare = b"LIST\0\0\0\0"
    for name, data in {
        "samples before the format": head + samples + fmt,
        "two formats": head + fmt + fmt + samples,
        "no samples": head + fmt,
        "no format": head + samples,
        "nothing": head,
        "a format of 4 bytes": head + b"fmt \4\0\0\0" + fmt[8:12] + samples,
        "a format of 2**31 bytes": head + b"fmt \0\0\0\x80" + fmt[8:] + samples,
        "2,000 chunks": head + fmt + spare * 2_000 + samples,
    }.items():
        sized = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
        yield _wav("lying parts", f"with {name}", sized, "audio_header")
