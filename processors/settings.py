"""Settings of the preprocessing: one frozen value a modality, checked once."""

from __future__ import annotations

import msgspec

from syncline.errors import SettingsError

MAX_PIXELS_OF_PILLOW = 89_478_485
"""Above this Pillow itself warns of a decompression bomb; its own limit is global state and stays as it is."""


class ImageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture becomes an array.

    `size`: pixels of a side of the square. `max_pixels`: width x height; each may take 16 bytes while decoding.
    `background`: RGB that transparent pictures are laid on.
    `mean`, `std`: per channel, of values in [0, 1]: normalised = (value / 255 - mean) / std.
    """

    size: int = 64
    max_bytes: int = 16 * 2**20
    max_pixels: int = 4_096 * 4_096
    background: tuple[int, int, int] = (255, 255, 255)
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        _check_range("image.size", self.size, 1, 4_096)
        _check_range("image.max_bytes", self.max_bytes, 1, 2**31)
        _check_range("image.max_pixels", self.max_pixels, 1, MAX_PIXELS_OF_PILLOW)
        for value in self.background:
            _check_range("image.background", value, 0, 255)
        for value in self.std:
            _check_range("image.std", value, 1e-6, 1e6)


class AudioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How sound becomes a log-mel spectrogram.

    `rate_hz`: all sound is resampled to it. A frame is `window_ms` long, the next starts `hop_ms` later; it is
    padded with zeros to `n_fft` samples. `n_mels` bands from `fmin_hz` to `fmax_hz`. `log_floor`: power below it
    counts as it. `max_samples` counts frames x channels of the file.
    """

    rate_hz: int = 16_000
    window_ms: int = 25
    hop_ms: int = 10
    n_fft: int = 512
    n_mels: int = 64
    fmin_hz: int = 20
    fmax_hz: int = 8_000
    log_floor: float = 1e-10
    max_bytes: int = 16 * 2**20
    max_seconds: int = 60
    max_samples: int = 2**25
    max_channels: int = 64
    min_rate_hz: int = 1_000
    max_rate_hz: int = 384_000

    def __post_init__(self) -> None:
        _check_range("audio.rate_hz", self.rate_hz, 1_000, 384_000)
        _check_range("audio.window_ms", self.window_ms, 1, 1_000)
        _check_range("audio.hop_ms", self.hop_ms, 1, 1_000)
        _check_range("audio.n_fft", self.n_fft, self.rate_hz * self.window_ms // 1_000, 2**16)
        _check_range("audio.n_mels", self.n_mels, 1, 512)
        _check_range("audio.fmax_hz", self.fmax_hz, 1, self.rate_hz / 2)
        _check_range("audio.fmin_hz", self.fmin_hz, 0, self.fmax_hz - 1)
        _check_range("audio.log_floor", self.log_floor, 1e-30, 1.0)
        _check_range("audio.max_bytes", self.max_bytes, 1, 2**31)
        _check_range("audio.max_seconds", self.max_seconds, 1, 86_400)
        _check_range("audio.max_samples", self.max_samples, 1, 2**31)
        _check_range("audio.max_channels", self.max_channels, 1, 1_024)
        _check_range("audio.min_rate_hz", self.min_rate_hz, 1, self.max_rate_hz)
        _check_range("audio.max_rate_hz", self.max_rate_hz, 1, 10_000_000)


class TextSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much text is taken: `max_bytes` before decoding, `max_characters` (code points) after it."""

    max_bytes: int = 64 * 2**10
    max_characters: int = 16_000

    def __post_init__(self) -> None:
        _check_range("text.max_bytes", self.max_bytes, 1, 2**31)
        _check_range("text.max_characters", self.max_characters, 1, 2**31)


def _check_range(name: str, got: float, least: float, most: float) -> None:
    if not least <= got <= most:
        raise SettingsError(name, got, f"{least} to {most}")
