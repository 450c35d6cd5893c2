"""The settings of preprocessing: one frozen value a modality, checked once."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from syncline.errors import SettingsError
from syncline.settings.definition import check_ranges

MAX_PIXELS_OF_PILLOW = 89_478_485
"""Above this Pillow itself warns of a decompression bomb; its own limit is global state and stays as it is."""
_Byte = Annotated[int, Meta(ge=0, le=255)]
_Std = Annotated[float, Meta(ge=1e-6, le=1e6)]


class ImageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture becomes an array.

    Normalised values are (value / 255 - mean) / std.

    Attributes:
        size (int): side of the square, pixels. Default 64.
        max_bytes (int): size limit of a file, bytes. Default 16 MiB.
        max_pixels (int): limit of width x height; a pixel may take 16 bytes while decoding. Default 4,096 x 4,096.
        background (tuple[int, int, int]): RGB behind transparent pictures. Default white.
        mean (tuple[float, float, float]): of each channel, for values in [0, 1]. Default 0.5 each.
        std (tuple[float, float, float]): standard deviation of each channel. Default 0.5 each.

    Raises:
        SettingsError: a setting is out of its range.
    """

    size: Annotated[int, Meta(ge=1, le=4_096)] = 64
    max_bytes: Annotated[int, Meta(ge=1, le=2**31)] = 16 * 2**20
    max_pixels: Annotated[int, Meta(ge=1, le=MAX_PIXELS_OF_PILLOW)] = 4_096 * 4_096
    background: tuple[_Byte, _Byte, _Byte] = (255, 255, 255)
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[_Std, _Std, _Std] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        check_ranges(self, "image.")


class AudioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How sound becomes a log-mel spectrogram.

    Attributes:
        rate_hz (int): all sound is resampled to this rate, Hz. Default 16,000.
        window_ms (int): length of a frame, ms. Default 25.
        hop_ms (int): time from one frame's start to the next one's, ms. Default 10.
        n_fft (int): samples of a frame after padding with zeros. Default 512.
        n_mels (int): number of bands. Default 64.
        fmin_hz (int): lower end of the bands, Hz. Default 20.
        fmax_hz (int): upper end of the bands, Hz. Default 8,000.
        log_floor (float): smaller powers are raised to it. Default 1e-10.
        max_bytes (int): size limit of a file, bytes. Default 16 MiB.
        max_seconds (int): limit of a file's length, s. Default 60.
        max_samples (int): limit of a file's frames x channels. Default 2**25.
        max_channels (int): limit of a file's channels. Default 64.
        min_rate_hz (int): least sample rate of a file, Hz. Default 1,000.
        max_rate_hz (int): largest sample rate of a file, Hz. Default 384,000.

    Raises:
        SettingsError: a setting is out of its range.
    """

    rate_hz: Annotated[int, Meta(ge=1_000, le=384_000)] = 16_000
    window_ms: Annotated[int, Meta(ge=1, le=1_000)] = 25
    hop_ms: Annotated[int, Meta(ge=1, le=1_000)] = 10
    n_fft: int = 512
    n_mels: Annotated[int, Meta(ge=1, le=512)] = 64
    fmin_hz: int = 20
    fmax_hz: int = 8_000
    log_floor: Annotated[float, Meta(ge=1e-30, le=1.0)] = 1e-10
    max_bytes: Annotated[int, Meta(ge=1, le=2**31)] = 16 * 2**20
    max_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 60
    max_samples: Annotated[int, Meta(ge=1, le=2**31)] = 2**25
    max_channels: Annotated[int, Meta(ge=1, le=1_024)] = 64
    min_rate_hz: int = 1_000
    max_rate_hz: Annotated[int, Meta(ge=1, le=10_000_000)] = 384_000

    def __post_init__(self) -> None:
        check_ranges(self, "audio.")
        _check_range("audio.n_fft", self.n_fft, self.rate_hz * self.window_ms // 1_000, 2**16)
        _check_range("audio.fmax_hz", self.fmax_hz, 1, self.rate_hz / 2)
        _check_range("audio.fmin_hz", self.fmin_hz, 0, self.fmax_hz - 1)
        _check_range("audio.min_rate_hz", self.min_rate_hz, 1, self.max_rate_hz)


class TextSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of texts.

    Attributes:
        max_bytes (int): size limit before decoding, bytes. Default 64 KiB.
        max_characters (int): limit of code points after decoding. Default 16,000.

    Raises:
        SettingsError: a setting is out of its range.
    """

    max_bytes: Annotated[int, Meta(ge=1, le=2**31)] = 64 * 2**10
    max_characters: Annotated[int, Meta(ge=1, le=2**31)] = 16_000

    def __post_init__(self) -> None:
        check_ranges(self, "text.")


def _check_range(name: str, got: float, least: float, most: float) -> None:
    if not least <= got <= most:
        raise SettingsError(name, got, f"{least} to {most}")
