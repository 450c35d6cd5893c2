"""Sound: WAV, FLAC and Ogg (Vorbis, Opus) to arrays. Decoders, soxr and numpy release the GIL."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import soxr  # pyright: ignore[reportMissingTypeStubs]

from processors.compressed import decode_mono, read_flac, read_ogg
from processors.limits import check_size, media_type, refuse
from processors.mel import log_mel
from processors.settings import AudioSettings
from processors.wav import read_wav_format, wav_mono
from syncline.errors import MediaError

DEFAULT = AudioSettings()
MAX_ABSOLUTE_SAMPLE = 65_536.0
"""Full scale is 1. Some float files have integer-sized samples; above this the power overflows."""
_SPARE_FRAMES = 8_192
"""How many frames beyond its claim a file may have: Vorbis and Opus round up to whole blocks."""
_TYPES = ("audio/wav", "audio/flac", "audio/ogg")


def load_log_mel(data: bytes, content_type: str, settings: AudioSettings = DEFAULT) -> npt.NDArray[np.float32]:
    """Decode sound to a log-mel spectrogram (`processors.mel.log_mel`).

    Args:
        data (bytes): the file.
        content_type (str): `audio/wav`, `audio/flac` or `audio/ogg`.
        settings (AudioSettings): sample rate, frames, bands and limits. Default `AudioSettings()`.

    Returns:
        npt.NDArray[np.float32]: (n_mels, n_frames), a frame every `settings.hop_ms` ms.

    Raises:
        MediaError: as in `load_mono`.

    Example:
        >>> import io
        >>> import numpy as np, soundfile
        >>> from processors.audio import load_log_mel
        >>> file = io.BytesIO()
        >>> soundfile.write(file, np.zeros(16_000), 16_000, format="WAV")
        >>> load_log_mel(file.getvalue(), "audio/wav").shape
        (64, 99)
    """
    return log_mel(load_mono(data, content_type, settings), settings)


def load_mono(data: bytes, content_type: str, settings: AudioSettings = DEFAULT) -> npt.NDArray[np.float32]:
    """Decode sound, average its channels and resample it (soxr, quality `HQ`).

    Args:
        data (bytes): the file.
        content_type (str): `audio/wav`, `audio/flac` or `audio/ogg`.
        settings (AudioSettings): sample rate and limits. Default `AudioSettings()`.

    Returns:
        npt.NDArray[np.float32]: (n_samples,) at `settings.rate_hz`. Full scale is [-1, 1]; float files may exceed it.

    Raises:
        MediaError: `empty`, `too_many_bytes`, `content_type_unknown`, `content_type_mismatch`, or a reason that begins
            with `audio_`.

    Example:
        >>> import io
        >>> import numpy as np, soundfile
        >>> from processors.audio import load_mono
        >>> file = io.BytesIO()
        >>> soundfile.write(file, np.zeros((44_100, 2)), 44_100, format="FLAC")
        >>> load_mono(file.getvalue(), "audio/flac").shape
        (16000,)
    """
    declared, _ = media_type(content_type, _TYPES)
    check_size(data, settings.max_bytes)
    if (found := _sniff(data)) != declared:
        raise refuse("content_type_mismatch", f"declared {declared}, the bytes begin as {found or 'none of them'}")
    mono, rate_hz = _load_wav(data, settings) if declared == "audio/wav" else _load_other(data, declared, settings)
    if not np.isfinite(mono).all():
        raise refuse("audio_not_finite", f"{declared}: NaN or infinite samples")
    if len(mono) and np.abs(mono).max() > MAX_ABSOLUTE_SAMPLE:
        raise refuse("audio_out_of_range", f"{declared}: a sample is above {MAX_ABSOLUTE_SAMPLE}, full scale is 1")
    if rate_hz != settings.rate_hz and len(mono):
        mono = soxr.resample(mono, rate_hz, settings.rate_hz, quality="HQ")
    if not len(mono):
        raise refuse("audio_no_samples", f"{declared}: no sample is left at {settings.rate_hz} Hz")
    return mono


def _sniff(data: bytes) -> str | None:
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "audio/wav"
    return {b"fLaC": "audio/flac", b"OggS": "audio/ogg"}.get(data[:4])


def _load_wav(data: bytes, settings: AudioSettings) -> tuple[npt.NDArray[np.float32], int]:
    wav = read_wav_format(data)
    _check_claim("audio/wav", wav.rate_hz, wav.n_channels, wav.n_frames, settings)
    with np.errstate(over="ignore", invalid="ignore"):  # a 64-bit float may become infinite: the caller rejects it
        return wav_mono(data, wav), wav.rate_hz


def _load_other(data: bytes, declared: str, settings: AudioSettings) -> tuple[npt.NDArray[np.float32], int]:
    try:
        claim = read_flac(data) if declared == "audio/flac" else read_ogg(data)
    except (struct.error, IndexError) as error:
        raise refuse("audio_header", f"{declared}: the header is cut short") from error
    _check_claim(declared, claim.rate_hz, claim.n_channels, claim.n_frames, settings)
    most = claim.rate_hz * settings.max_seconds
    try:
        mono, rate_hz = decode_mono(claim, declared, (claim.n_frames or most) + _SPARE_FRAMES)
    except MediaError:
        raise
    except Exception as error:  # libsndfile and its binding raise many kinds on broken files
        raise refuse("audio_undecodable", f"{declared}: {type(error).__name__}: {error}") from error
    if (n_frames := len(mono) * claim.rate_hz // max(1, rate_hz)) < claim.n_frames:
        raise refuse("audio_undecodable", f"{declared}: header claims {claim.n_frames} frames, got {n_frames}")
    _check_claim(declared, rate_hz, claim.n_channels, len(mono), settings)
    return mono, rate_hz


def _check_claim(declared: str, rate_hz: int, n_channels: int, n_frames: int, settings: AudioSettings) -> None:
    if not settings.min_rate_hz <= rate_hz <= settings.max_rate_hz:
        takes = f"takes {settings.min_rate_hz} to {settings.max_rate_hz}"
        raise refuse("audio_sample_rate", f"{declared}: got {rate_hz} Hz, {takes}")
    if not 1 <= n_channels <= settings.max_channels:
        raise refuse(
            "audio_too_many_channels", f"{declared}: got {n_channels} channels, takes 1 to {settings.max_channels}"
        )
    if n_frames > rate_hz * settings.max_seconds:
        seconds = n_frames / rate_hz
        raise refuse("audio_too_many_seconds", f"{declared}: got {seconds:.1f} s, takes at most {settings.max_seconds}")
    if n_frames * n_channels > settings.max_samples:
        raise refuse(
            "audio_too_many_samples", f"{declared}: got {n_frames} x {n_channels}, takes at most {settings.max_samples}"
        )
