"""What a recogniser wrote and what was to be said, made alike before they are compared."""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.synthesis.normalise import to_words
from models.synthesis.phones import PAUSE
from models.synthesis_training.spelling import edit_distance

_SAME = {
    "gray": "grey", "ok": "okay", "towards": "toward", "colour": "color", "theatre": "theater", "centre": "center",
    "programme": "program", "favour": "favor", "honour": "honor", "mister": "mr", "missus": "mrs", "doctor": "dr",
}  # fmt: skip
"""Spellings that sound alike and mean the same."""


def comparable(text: str) -> list[str]:
    """Words in small letters, numbers in full, without punctuation; the same for every speaker and sentence."""
    words = [word.rstrip(".") for word in to_words(re.sub(r"[\[(].*?[\])]", " ", text)) if word != PAUSE]
    return [_SAME.get(word, word) for word in words]


def word_errors(written: str, said: str) -> tuple[int, int]:
    """How many words are wrong (replaced, left out or added), and how many there were to say."""
    right = comparable(said)
    return edit_distance(comparable(written), right), len(right)


def word_error_rate(errors: Sequence[tuple[int, int]]) -> float:
    """All wrong words by all words."""
    return sum(wrong for wrong, _ in errors) / sum(n for _, n in errors)
