"""Speech for recognisers, spoken here by piper's voice; and the models that come in packages, opened once."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from models.interface import Speech

if TYPE_CHECKING:  # most tests of this folder need neither, and both take seconds to import
    from models.adapters.piper import PiperConverter
    from models.adapters.whisper import WhisperConverter


def wav(samples: np.ndarray, rate_hz: int = 16_000) -> bytes:
    """Samples (n_samples,) as a 16-bit WAV file."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format="WAV", subtype="PCM_16")
    return out.getvalue()


@pytest.fixture(scope="session")
def piper() -> PiperConverter:
    """The voice of the package."""
    from models.adapters.piper import open_piper

    return open_piper("")


@pytest.fixture(scope="session")
def whisper() -> WhisperConverter:
    """The tiny.en of the package."""
    from models.adapters.whisper import open_whisper

    return open_whisper("")


@pytest.fixture(scope="session")
def spoken(piper: PiperConverter) -> Callable[[str], Speech]:
    """Speaks a text; each text once a session."""
    said: dict[str, Speech] = {}

    def speak(text: str) -> Speech:
        if text not in said:
            (answer,) = piper.run([piper.prepare(text.encode(), "text/plain", "en")])
            assert isinstance(answer, Speech), answer
            said[text] = answer
        return said[text]

    return speak
