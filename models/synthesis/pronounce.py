"""Words to phones: from the lexicon, by the names of letters, or guessed by the spelling network."""

from __future__ import annotations

from collections.abc import Sequence

from models.synthesis.g2p import SpellingNetwork, guess_phones
from models.synthesis.lexicon import Lexicon
from models.synthesis.phones import PAUSE, VOWELS

LETTER_NAMES = {
    "a": "ey", "b": "b iy", "c": "s iy", "d": "d iy", "e": "iy", "f": "eh f", "g": "jh iy", "h": "ey ch", "i": "ay",
    "j": "jh ey", "k": "k ey", "l": "eh l", "m": "eh m", "n": "eh n", "o": "ow", "p": "p iy", "q": "k y uw",
    "r": "aa r", "s": "eh s", "t": "t iy", "u": "y uw", "v": "v iy", "w": "d ah b ax l y uw", "x": "eh k s",
    "y": "w ay", "z": "z iy",
}  # fmt: skip
_HISSING = frozenset(("s", "z", "sh", "zh", "ch", "jh"))
_VOICELESS = frozenset(("p", "t", "k", "f", "th"))


def to_phones(words: Sequence[str], lexicon: Lexicon, spelling: SpellingNetwork) -> list[str]:
    """Words as `normalise.to_words` gives them to phones, a pause first, last and where one stands among the words."""
    known = {word: _look_up(word, lexicon) for word in dict.fromkeys(words) if word != PAUSE}
    unknown = [word for word, phones in known.items() if phones is None]
    known |= dict(zip(unknown, guess_phones(spelling, unknown), strict=True))
    said = [[PAUSE] if word == PAUSE else known[word] or [] for word in words]
    phones = [PAUSE]
    for i, word in enumerate(words):
        follows = said[i + 1] if i + 1 < len(words) else []
        phones += ["dh", "iy"] if word == "the" and follows and follows[0] in VOWELS else said[i]
    return [*phones, PAUSE]


def _look_up(word: str, lexicon: Lexicon) -> list[str] | None:
    if word.endswith("."):
        return LETTER_NAMES[word[0]].split()
    found = lexicon.find(word)
    if found is None and word.endswith("'s"):
        stem = lexicon.find(word[:-2])
        return None if stem is None else [*stem, *_possessive(stem[-1])]
    if found is None and word.endswith("'"):
        return lexicon.find(word[:-1])
    return found


def _possessive(last: str) -> list[str]:
    if last in _HISSING:
        return ["ax", "z"]
    return ["s"] if last in _VOICELESS else ["z"]
