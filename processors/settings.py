"""Settings of the preprocessing: one frozen value a modality, checked once."""

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

    `size`: pixels of a side of the square. `max_pixels`: width x height; each may take 16 bytes while decoding.
    `background`: RGB that transparent pictures are laid on.
    `mean`, `std`: per channel, of values in [0, 1]: normalised = (value / 255 - mean) / std.
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

    `rate_hz`: all sound is resampled to it. A frame is `window_ms` long, the next starts `hop_ms` later; it is
    padded with zeros to `n_fft` samples. `n_mels` bands from `fmin_hz` to `fmax_hz`. `log_floor`: power below it
    counts as it. `max_samples` counts frames x channels of the file.
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
    """How much text is taken: `max_bytes` before decoding, `max_characters` (code points) after it."""

    max_bytes: Annotated[int, Meta(ge=1, le=2**31)] = 64 * 2**10
    max_characters: Annotated[int, Meta(ge=1, le=2**31)] = 16_000

    def __post_init__(self) -> None:
        check_ranges(self, "text.")


def _check_range(name: str, got: float, least: float, most: float) -> None:
    if not least <= got <= most:
        raise SettingsError(name, got, f"{least} to {most}")
