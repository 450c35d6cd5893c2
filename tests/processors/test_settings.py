"""Settings are checked once, and the error names the setting, what it got and what it takes."""

from __future__ import annotations

import pytest

from processors.settings import AudioSettings, ImageSettings, TextSettings
from syncline.errors import SettingsError


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (ImageSettings, "size", 0),
        (ImageSettings, "max_pixels", 10**9),
        (ImageSettings, "max_bytes", 0),
        (AudioSettings, "n_fft", 256),
        (AudioSettings, "fmax_hz", 8_001),
        (AudioSettings, "fmin_hz", 8_000),
        (AudioSettings, "log_floor", 0.0),
        (AudioSettings, "max_seconds", 0),
        (AudioSettings, "min_rate_hz", 500_000),
        (TextSettings, "max_characters", 0),
    ],
)
def test_a_value_out_of_range_is_named(kind: type, name: str, value: float) -> None:
    """For example `audio.n_fft: got 256, takes 400 to 65536`."""
    with pytest.raises(SettingsError, match=rf"{name}: got {value}, takes .* to "):
        kind(**{name: value})


def test_each_channel_of_background_and_std_is_checked() -> None:
    """A standard deviation of 0 would divide by it."""
    with pytest.raises(SettingsError, match="background"):
        ImageSettings(background=(0, 0, 256))
    with pytest.raises(SettingsError, match="std"):
        ImageSettings(std=(0.5, 0.0, 0.5))
