"""Splits text into words: Chinese with rjieba, everything else by Unicode category, without a table of all of Unicode.

The rules are UAX #29 (word boundaries), as far as they matter for words. Letters, marks, digits and connecting
punctuation stay together. One apostrophe, full stop, colon or middle dot between letters, and one comma or full stop
between digits, do not split a word. An emoji with its joiners and skin tones is one word. One difference: scripts
without spaces other than Chinese (Thai, Lao, Khmer, Myanmar, one Japanese syllabary) give one word a run, because
splitting them takes a dictionary.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import rjieba

Kind = Literal["han", "hiragana", "katakana", "letter", "digit", "mark", "sign", "joiner", "middle", "other"]
_HAN = ((0x3005, 0x3005), (0x3007, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
_BETWEEN_LETTERS = frozenset("'\u2019.:\u00b7\u2018\u2024\u2027\ufe52\uff07\uff0e")
_BETWEEN_DIGITS = frozenset(".,';\u2019\u2018\u066c\uff0c\uff0e")
_JOINERS = frozenset("\u00ad\u200c\u200d\ufe0e\ufe0f\u20e3")
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_WORD_KINDS = frozenset({"letter", "digit"})


def tag_words(text: str, language: str | None = None) -> tuple[tuple[str, str], ...]:
    """Split text into words with part-of-speech tags; leave out white space and punctuation.

    Args:
        text (str): Unicode NFC, as from `load_text`.
        language (str | None): BCP 47 tag. With `ja` or `ko` a run of Chinese characters is one word; otherwise it is
            split and tagged (ICTCLAS tags: n, v, r, ...). Default None: unknown.

    Returns:
        tuple[tuple[str, str], ...]: (word, tag) in order; the tag is "" if unknown.

    Example:
        >>> from processors.words import tag_words
        >>> tag_words("It's 3.5 km")
        (("It's", ''), ('3.5', ''), ('km', ''))
    """
    chinese = (language or "").lower().split("-")[0] not in {"ja", "ko"}
    words: list[tuple[str, str]] = []
    for kind, word in _segments(text):
        if kind == "han" and chinese:
            words.extend(rjieba.tag(word))
        else:
            words.append((word, ""))
    return tuple(words)


def _segments(text: str) -> Iterator[tuple[Kind, str]]:
    """Yield (kind, word); a run of Chinese characters is one word here."""
    start, kind = 0, "other"
    for at, char in enumerate(text):
        now = kind_of(char)
        if at > start and _holds(text, at, kind, now):
            continue
        if kind != "other":
            yield kind, text[start:at]
        start, kind = at, _starts(now)
    if kind != "other" and start < len(text):
        yield kind, text[start:]


def _starts(kind: Kind) -> Kind:
    """Return the kind of a word that begins with `kind`: marks, joiners and middle signs begin none."""
    return "other" if kind in ("mark", "joiner", "middle") else kind


def _holds(text: str, at: int, kind: Kind, now: Kind) -> bool:
    """Tell whether the character at `at`, of kind `now`, continues the word of `kind` before it."""
    if kind == "other":
        return False
    if now in ("mark", "joiner"):
        return True
    if kind == "sign":
        return now == "sign" and (text[at - 1] == "\u200d" or ord(text[at]) in _SKIN_TONES)
    if now == "middle":
        return _is_between(text, at)
    if kind in _WORD_KINDS:
        return now in _WORD_KINDS
    return now == kind


def _is_between(text: str, at: int) -> bool:
    """Tell whether the sign at `at` is between two letters or two digits that it does not split."""
    if at + 1 >= len(text):
        return False
    before, after = _before_marks(text, at), kind_of(text[at + 1])
    return (before == after == "letter" and text[at] in _BETWEEN_LETTERS) or (
        before == after == "digit" and text[at] in _BETWEEN_DIGITS
    )


def _before_marks(text: str, at: int) -> Kind:
    """Return the kind of the character before `at`, skipping marks (at most 30 in a row: `processors.text`)."""
    at -= 1
    while at > 0 and kind_of(text[at]) == "mark":
        at -= 1
    return kind_of(text[at])


@lru_cache(maxsize=65_536)
def kind_of(char: str) -> Kind:
    """Classify one character."""
    code = ord(char)
    if char in _JOINERS:
        return "joiner"
    if any(low <= code <= high for low, high in _HAN):
        return "han"
    if 0x3041 <= code <= 0x309F:
        return "hiragana"
    if 0x30A1 <= code <= 0x30FF or 0x31F0 <= code <= 0x31FF or 0xFF66 <= code <= 0xFF9F:
        return "katakana"
    if char in _BETWEEN_LETTERS or char in _BETWEEN_DIGITS:
        return "middle"
    return _by_category(char)


def _by_category(char: str) -> Kind:
    category = unicodedata.category(char)
    if category.startswith("M"):
        return "mark"
    if category.startswith("N"):
        return "digit"
    if category.startswith("L") or category == "Pc":
        return "letter"
    if category == "So" or ord(char) in _SKIN_TONES:
        return "sign"
    return "other"
