"""The phones that the voice knows: those of CMU's lexicon, and the pause."""

from __future__ import annotations

from collections.abc import Sequence

PAUSE = "pau"
PHONES = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey", "f", "g", "hh", "ih", "iy", "jh",
    "k", "l", "m", "n", "ng", "ow", "oy", "p", "r", "s", "sh", "t", "th", "uh", "uw", "v", "w", "y", "z", "zh",
)  # fmt: skip
"""Phones of words, as festlex-cmu and flite write them."""

VOWELS = frozenset(("aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"))
SYMBOLS = ("", PAUSE, *PHONES)
"""Number -> what the network reads: 0 is padding, 1 the pause."""

_NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS) if symbol}


def to_numbers(phones: Sequence[str]) -> list[int]:
    """Phones and pauses to what the network reads. Raises KeyError for a phone that is none of `PHONES`."""
    return [_NUMBERS[phone] for phone in phones]
