"""Sizes and scales that the reference model and its training data share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from processors.settings import AudioSettings, ImageSettings

IMAGE = ImageSettings(size=40)
"""40 x 40 pixels: what two cores can train on in half an hour."""

AUDIO = AudioSettings(n_mels=64)

MEL_RANGE = 14.0
"""The range of power below a clip's loudest band, in nepers: about 60 dB, what speech uses."""


def scale_log_mel(log_mel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scale a log-mel (n_mels, n_frames) to [-1, 1]: 1 is the clip's loudest band, -1 is 60 dB below it."""
    below = log_mel - log_mel.max(initial=-np.inf)
    return np.maximum(below / (MEL_RANGE / 2) + 1, -1).astype(np.float32)
