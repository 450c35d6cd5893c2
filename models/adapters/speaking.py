"""What synthesisers share: the limits of their texts and of their speech."""

from __future__ import annotations

from sys import getsizeof

import numpy as np
import numpy.typing as npt

from models.interface import Prepared
from processors.limits import refuse
from processors.settings import TextSettings
from processors.text import load_text
from syncline.errors import MediaError

MAX_SPEECH_S = 60
MAX_CHARACTERS = 2_000
"""No voice says more than 33 characters a second: a longer text is refused before it is spoken."""
_MS_A_CHARACTER = 65


def prepare_speech(data: bytes, content_type: str) -> Prepared:
    """Prepare a text. Its cost is about the milliseconds of speech.

    Raises:
        MediaError: as in `load_text`.
    """
    text = load_text(data, content_type, TextSettings(max_characters=MAX_CHARACTERS))
    return Prepared(text, len(text) * _MS_A_CHARACTER, getsizeof(text))


def too_long(n_samples: int, sample_rate_hz: int) -> MediaError | None:
    """The error for speech that is longer than `MAX_SPEECH_S`."""
    if n_samples <= MAX_SPEECH_S * sample_rate_hz:
        return None
    seconds = n_samples / sample_rate_hz
    return refuse("audio_too_many_seconds", f"the text speaks for {seconds:.0f} s, takes at most {MAX_SPEECH_S}")


def in_range(samples: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Samples as float32 within full scale. A clip that goes beyond it is scaled down, not clipped."""
    peak = float(np.abs(samples).max(initial=0.0))
    return np.ascontiguousarray(samples if peak <= 1 else samples / peak, np.float32)
