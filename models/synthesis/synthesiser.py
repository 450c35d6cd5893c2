"""Text to sound, piece by piece: sentences to phones, phones to mels in one batch, mels to sound one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils.rnn import pad_sequence

from models.synthesis.checkpoint import Voice
from models.synthesis.normalise import to_words
from models.synthesis.phones import PAUSE, to_numbers
from models.synthesis.pronounce import to_phones
from models.synthesis.vocoder import to_sound

MAX_WORDS = 40
"""A piece with more words is cut at a pause where it has one: the voice has learned sentences of up to 18."""

Samples = npt.NDArray[np.float32]
_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])|\n+")


def split_sentences(text: str) -> list[str]:
    """Cut where a sentence ends: at a full stop, question or exclamation mark before a capital, and at line breaks.

    Not after titles (`Dr. Smith`) and single letters (`J. Smith`).
    """
    parts: list[str] = []
    for part in _END.split(text):
        if parts and re.search(r"\b(Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|No|[A-Z])\.$", parts[-1]):
            parts[-1] += " " + part
        elif part.strip():
            parts.append(part.strip())
    return parts


def to_pieces(text: str) -> list[list[str]]:
    """Text to the words of each piece that is said in one go; a piece has words."""
    pieces: list[list[str]] = []
    for sentence in split_sentences(text):
        words = to_words(sentence)
        while len(words) > MAX_WORDS:
            pauses = [i for i, word in enumerate(words[:MAX_WORDS]) if word == PAUSE]
            cut = pauses[-1] if pauses else MAX_WORDS
            pieces.append(words[:cut])
            words = words[cut + 1 :] if pauses else words[cut:]
        pieces.append(words)
    return [piece for piece in pieces if piece]


def to_phone_pieces(text: str, voice: Voice) -> list[tuple[str, ...]]:
    """Text to the phones of each piece that is said in one go, a pause first and last; none where it has no words."""
    return [tuple(to_phones(piece, voice.lexicon, voice.spelling)) for piece in to_pieces(text)]


def speak(pieces: Sequence[Sequence[str]], voice: Voice) -> list[Samples]:
    """Phones of pieces, one at least, to the sound of each, float32 (n_samples,) at 16 kHz in [-1, 1]."""
    phones = [torch.tensor(to_numbers(piece)) for piece in pieces]
    n_phones = torch.tensor([len(piece) for piece in phones])
    mel, n_frames = voice.speech.speak(pad_sequence(phones, batch_first=True), n_phones)
    return [to_sound(one[:n]).numpy() for one, n in zip(mel, n_frames.tolist(), strict=True)]
