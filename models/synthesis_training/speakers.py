"""The five who say a test sentence, from the teacher to the student who has nothing but the text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from models.synthesis.checkpoint import Voice
from models.synthesis.phones import to_numbers
from models.synthesis.synthesiser import speak, to_phone_pieces
from models.synthesis.vocoder import to_sound
from models.synthesis_training.corpus import Split

Samples = npt.NDArray[np.float32]
TEACHER, STUDENT_OF_PHONES, STUDENT = "teacher", "student, teacher's phones", "student, from text"
Speaker = Callable[[Split, int], Samples]
"""Says sentence i of a split."""


def speakers(voice: Voice) -> dict[str, Speaker]:
    """Name -> who says it, in the order of the table."""
    return {
        TEACHER: lambda split, i: split.samples[i],
        "Griffin-Lim of the teacher": lambda split, i: _sound(torch.from_numpy(split.log_mels[i])),
        "autoencoder's copy": lambda split, i: _sound(voice.speech.copy(torch.from_numpy(split.log_mels[i]))),
        STUDENT_OF_PHONES: lambda split, i: say_phones(split.spoken[i].phones, split.spoken[i].n_frames, voice),
        STUDENT: lambda split, i: say_text(split.spoken[i].sentence, voice),
    }


def say_text(text: str, voice: Voice) -> Samples:
    """What the converter says: one sentence after the other."""
    return np.concatenate(speak(to_phone_pieces(text, voice), voice))


def say_phones(phones: list[str], n_frames: list[int], voice: Voice) -> Samples:
    """What the student says who is told the phones and how long each lasts."""
    numbers = torch.tensor([to_numbers(phones)])
    mel = voice.speech.speak(numbers, torch.tensor([len(phones)]), torch.tensor([n_frames])).mel[0]
    return _sound(mel)


def _sound(log_mel: torch.Tensor) -> Samples:
    return to_sound(log_mel).numpy()
