"""WAV files with PCM, float or G.711 samples, decoded here: fixes of libsndfile's WAV readers are unreleased."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from processors.limits import refuse


def _mu_law() -> npt.NDArray[np.float32]:
    """Decode mu-law: sign, three bits of exponent, four of mantissa, all inverted; 14 bits of range, a bias of 33."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = ((2 * mantissa + 33) << exponent) - 33
    return (np.where(code & 0x80, -size, size) / 2**13).astype(np.float32)


def _a_law() -> npt.NDArray[np.float32]:
    """Decode A-law: sign (1 is positive), exponent, mantissa, every other bit inverted; 13 bits of range, no bias."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = np.where(exponent == 0, 2 * mantissa + 1, (2 * mantissa + 33) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, size, -size) / 2**12).astype(np.float32)


A_LAW_SAMPLES, MU_LAW_SAMPLES = _a_law(), _mu_law()
"""The sample of each byte: float32 (256,), full scale [-1, 1]."""


PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
TO_THE_END = 0xFFFFFFFF
"""The length that programs write when they write into a pipe."""
MAX_CHUNKS = 1_024
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""The 14 bytes after the format number in a WAVE_FORMAT_EXTENSIBLE sub-format."""
_DTYPES = {(PCM, 8): "u1", (PCM, 16): "<i2", (PCM, 24): "u1", (PCM, 32): "<i4", (FLOAT, 32): "<f4", (FLOAT, 64): "<f8"}
_TABLES = {A_LAW: A_LAW_SAMPLES, MU_LAW: MU_LAW_SAMPLES}
_BLOCK_SAMPLES = 2**18


class WavFormat(msgspec.Struct, frozen=True):
    """A WAV's header. `code` is PCM, FLOAT, A_LAW or MU_LAW; the samples are `n_bytes` from byte `start`."""

    code: int
    bits: int
    n_channels: int
    rate_hz: int
    start: int
    n_bytes: int

    @property
    def n_frames(self) -> int:
        return self.n_bytes // (self.n_channels * self.bits // 8)


def read_wav_format(data: bytes) -> WavFormat:
    """Read a RIFF/WAVE header and check it against the file's size.

    Raises `MediaError`: `audio_header`, `audio_codec_unknown` or `audio_too_many_channels` (0 channels).
    """
    try:
        return _read_format(data)
    except struct.error as error:
        raise refuse("audio_header", "audio/wav: the header is cut short") from error


def wav_mono(data: bytes, wav: WavFormat) -> npt.NDArray[np.float32]:
    """Decode to the mean of all channels: float32 (n_frames,), full scale [-1, 1]."""
    mono = np.empty(wav.n_frames, np.float32)
    at = 0
    for block in _blocks(data, wav):
        mono[at : at + len(block)] = mean_channels(block)
        at += len(block)
    return mono


def mean_channels(block: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Average (n_frames, n_channels) to (n_frames,), by columns: numpy's mean over a short last axis is 5x slower."""
    n_channels = block.shape[1]
    if n_channels == 1:
        return block[:, 0]
    total = block[:, 0] + block[:, 1]
    for channel in range(2, n_channels):
        total += block[:, channel]
    return total / n_channels


def _read_format(data: bytes) -> WavFormat:
    fmt: tuple[int, int, int, int] | None = None
    for kind, start, length in _chunks(data):
        if kind == b"fmt ":
            if fmt:
                raise refuse("audio_header", "audio/wav: two fmt chunks")
            fmt = _read_fmt(data, start, length)
        elif kind == b"data":
            if not fmt:
                raise refuse("audio_header", "audio/wav: samples before the fmt chunk")
            code, bits, n_channels, rate_hz = fmt
            if length % (n_channels * bits // 8):
                raise refuse("audio_header", f"audio/wav: {length} bytes are no whole number of frames")
            return WavFormat(code, bits, n_channels, rate_hz, start, length)
    raise refuse("audio_header", "audio/wav: no data chunk")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each chunk's name, start and length."""
    (riff_length,) = struct.unpack_from("<I", data, 4)
    if riff_length != TO_THE_END and riff_length + 8 > len(data):
        raise refuse("audio_header", f"audio/wav: header claims {riff_length + 8} bytes, got {len(data)}")
    at = 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        rest = len(data) - at - 8
        if kind == b"data" and length == TO_THE_END:
            length = rest
        if length > rest:
            raise refuse("audio_header", f"audio/wav: chunk {kind!r} claims {length} bytes, got {rest}")
        yield kind, at + 8, length
        at += 8 + length + length % 2
    raise refuse("audio_header", f"audio/wav: more than {MAX_CHUNKS} chunks")


def _read_fmt(data: bytes, start: int, length: int) -> tuple[int, int, int, int]:
    if length < 16:
        raise refuse("audio_header", f"audio/wav: fmt chunk of {length} bytes, takes at least 16")
    code, n_channels, rate_hz, _, block_bytes, bits = struct.unpack_from("<HHIIHH", data, start)
    if code == EXTENSIBLE:
        if length < 40:
            raise refuse("audio_header", f"audio/wav: extensible fmt chunk of {length} bytes, takes at least 40")
        (code,) = struct.unpack_from("<H", data, start + 24)
        if data[start + 26 : start + 40] != _GUID_TAIL:
            raise refuse("audio_codec_unknown", "audio/wav: an unknown sub-format")
    if (code, bits) not in _DTYPES and (code not in _TABLES or bits != 8):
        takes = "PCM of 8, 16, 24, 32 bits, float of 32, 64 bits and G.711 of 8 bits"
        raise refuse("audio_codec_unknown", f"audio/wav: got format {code} of {bits} bits, takes {takes}")
    if n_channels == 0:
        raise refuse("audio_too_many_channels", "audio/wav: got 0 channels, takes at least 1")
    if block_bytes != n_channels * bits // 8:
        raise refuse("audio_header", f"audio/wav: frames of {block_bytes} bytes, {n_channels} x {bits} bits")
    return code, bits, n_channels, rate_hz


def _blocks(data: bytes, wav: WavFormat) -> Iterator[npt.NDArray[np.floating[Any]]]:
    """Yield blocks of (n_frames, n_channels); converting the whole file at once would copy it."""
    sample_bytes = wav.bits // 8
    raw = np.frombuffer(data, np.uint8, wav.n_bytes, wav.start).reshape(wav.n_frames, wav.n_channels * sample_bytes)
    n = max(1, _BLOCK_SAMPLES // wav.n_channels)
    for at in range(0, wav.n_frames, n):
        yield _to_float(raw[at : at + n], wav).reshape(-1, wav.n_channels)


def _to_float(raw: npt.NDArray[np.uint8], wav: WavFormat) -> npt.NDArray[np.floating[Any]]:
    if wav.code in _TABLES:
        return _TABLES[wav.code][raw]
    if wav.code == PCM and wav.bits == 8:  # the only unsigned one
        return raw.astype(np.float32) / 128 - 1
    if wav.code == PCM and wav.bits == 24:
        wide = np.zeros((raw.size // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        return wide.view("<i4").astype(np.float32) * np.float32(2**-31)
    samples = raw.view(_DTYPES[wav.code, wav.bits])
    if wav.code == PCM:
        return samples.astype(np.float32) * np.float32(2.0 ** (1 - wav.bits))
    return samples
