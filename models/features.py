"""The sizes and scales that the reference model and its training data share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.settings import AudioSettings, ImageSettings

IMAGE = ImageSettings(size=40)
"""Pictures are 40 x 40: as much as 2 cores can train on in half an hour."""

AUDIO = AudioSettings(n_mels=64)

MEL_RANGE = 14.0
"""Nepers of power below a clip's loudest band that are told apart: about 60 dB, what speech uses."""


def scale_log_mel(log_mel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log-mel (n_mels, n_frames) to [-1, 1], whatever the loudness: 1 is the clip's loudest band, -1 is 60 dB less."""
    below = log_mel - log_mel.max(initial=-np.inf)
    return np.maximum(below / (MEL_RANGE / 2) + 1, -1).astype(np.float32)
