"""Words of a text, without a table of all of Unicode: script runs, Chinese by rjieba, the rest by Unicode category.

The rules are those of UAX #29 (word boundaries) that matter for finding words: letters, marks, digits and connecting
punctuation hold together; one apostrophe, full stop, colon or middle dot between letters and one comma or full stop
between digits do not part a word; a picture sign with its joiners and skin tones is one word. Where it differs:
scripts that write no spaces and are not Chinese (Thai, Lao, Khmer, Myanmar, and runs of one Japanese syllabary) come
as one word a run, because parting them takes a dictionary.
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
    """The words of `text` in order, each with its part-of-speech tag, "" where none is known.

    `text`: NFC. `language`: BCP 47 or None; Chinese characters are parted and tagged (ICTCLAS tags: n, v, r, ...)
    unless it says Japanese or Korean, where a run of them is one word. White space and punctuation are left out.
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
    """(kind, word) of each word; a run of Chinese characters is one."""
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
    """What a word that begins with `kind` is: marks, joiners and middle signs begin none."""
    return "other" if kind in ("mark", "joiner", "middle") else kind


def _holds(text: str, at: int, kind: Kind, now: Kind) -> bool:
    """Whether the character at `at`, of kind `now`, belongs to the word of `kind` that stands before it."""
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
    """Whether the sign at `at` stands between two letters, or two digits, that it does not part."""
    if at + 1 >= len(text):
        return False
    before, after = _before_marks(text, at), kind_of(text[at + 1])
    return (before == after == "letter" and text[at] in _BETWEEN_LETTERS) or (
        before == after == "digit" and text[at] in _BETWEEN_DIGITS
    )


def _before_marks(text: str, at: int) -> Kind:
    """The kind of the character before `at`, marks skipped (at most 30 stand in a row: `processors.text`)."""
    at -= 1
    while at > 0 and kind_of(text[at]) == "mark":
        at -= 1
    return kind_of(text[at])


@lru_cache(maxsize=65_536)
def kind_of(char: str) -> Kind:
    """What one character is to the finding of words."""
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
