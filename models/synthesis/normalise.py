"""Text as it is written to words as they are said, with pauses: numbers, money, dates, times, abbreviations, signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from models.synthesis.abbreviations import (
    ABBREVIATIONS,
    INITIALS,
    MONTHS,
    SHORT_WORDS,
    SIGNS,
    SPELLED,
    UNITS,
    UNMISTAKABLE,
    WORDS_TOO,
)
from models.synthesis.amounts import (
    say_date,
    say_decade,
    say_iso_date,
    say_money,
    say_number,
    say_ordinal,
    say_time,
)
from models.synthesis.phones import PAUSE

_PAUSES = frozenset(',;:.?!()[]{}"…')
_TYPED = {0x2019: "'", 0x2018: "'", 0x201C: '"', 0x201D: '"', 0x2013: " - ", 0x2014: " - ", 0xA0: " "}
_MONTH = "|".join([*MONTHS, *(month[:3] + r"\." for month in MONTHS)])
_TOKEN = re.compile(
    rf"""
    (?P<date>\b(?:{_MONTH})\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+[12]\d{{3}})?\b
           | \b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH})(?:,?\s+[12]\d{{3}}\b)?)
  | (?P<iso>\b[12]\d{{3}}-\d{{2}}-\d{{2}}\b)
  | (?P<time>\b(?:[01]?\d|2[0-3]):[0-5]\d(?!\d))
  | (?P<money>[$£€¥]\s?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:\s(?:thousand|million|billion|trillion)\b)?)
  | (?P<ordinal>\b\d[\d,]*(?:st|nd|rd|th)\b)
  | (?P<decade>\b[12]\d\d0s\b)
  | (?P<number>[-−]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?|[-−]?\.\d+)
  | (?P<initials>\b(?:[A-Za-z]\.){{2,}})
  | (?P<word>[A-Za-z]+(?:'[A-Za-z]+)*\.?)
  | (?P<dash>\s-{{1,2}}\s|--)
  | (?P<sign>[^\sA-Za-z0-9])
    """,
    re.VERBOSE | re.ASCII,
)
"""The first kind that fits is taken."""


def to_words(text: str) -> list[str]:
    """Words in small letters, letters that are said by name as `a.`, and `PAUSE` between parts of sentences.

    Never two pauses in a row, and none first or last. Signs that have no name are passed over.
    """
    plain = _plain(text)
    words: list[str] = []
    for match in _TOKEN.finditer(plain):
        for word in _say(match, plain[: match.start()], plain[match.end() :]):
            if word != PAUSE or (words and words[-1] != PAUSE):
                words.append(word)
    return words[:-1] if words and words[-1] == PAUSE else words


def _plain(text: str) -> str:
    """Letters without accents and digits of any width as ASCII, quotes and dashes as they are typed."""
    apart = unicodedata.normalize("NFKD", text.translate(_TYPED))
    return "".join(character for character in apart if not unicodedata.combining(character))


def _say(match: re.Match[str], before: str, after: str) -> list[str]:
    written, kind = match[0], match.lastgroup
    if kind in _AMOUNTS:
        return _AMOUNTS[kind](written)
    if kind == "number":
        return say_number(written, before, after)
    if kind == "time":
        return say_time(written, after)
    if kind == "word":
        return _word(written, before, after)
    if kind == "dash" or written in _PAUSES:
        return [PAUSE]
    return SIGNS.get(written, "").split()


def _word(written: str, before: str, after: str) -> list[str]:
    bare = written.rstrip(".")
    low, end = bare.lower(), [PAUSE] if written.endswith(".") else []
    if low in UNITS and re.search(r"\d\s?$", before):
        return [*UNITS[low].split(), *end]
    is_last = not after.strip()
    if low in UNMISTAKABLE or (end and low in ABBREVIATIONS and not (is_last and low in WORDS_TOO)):
        return ABBREVIATIONS[low].split()
    if _is_spelled(bare):
        return [*(f"{letter}." for letter in low), *end]
    return [*_parts(bare), *end]


def _initials(written: str) -> list[str]:
    """`U.S.` is u s; `e.g.` is for example."""
    low = written.lower()
    return INITIALS[low].split() if low in INITIALS else [f"{letter}." for letter in low if letter != "."]


def _is_spelled(word: str) -> bool:
    """Whether a word is said letter by letter: one letter but `a` and `I`, and capitals that are no word."""
    if len(word) == 1:
        return word.lower() not in "ai"
    if not word.isupper():
        return False
    return word in SPELLED or (word not in SHORT_WORDS if len(word) == 2 else not re.search("[AEIOUY]", word))


def _parts(word: str) -> list[str]:
    """`iPhone` is i phone: a capital after a small letter begins a word, but in names such as McDonald."""
    apart = word if re.match("(Mc|Mac|De|Di|La|Le|Van)[A-Z]", word) else re.sub("(?<=[a-z])(?=[A-Z])", " ", word)
    return apart.lower().split()


_AMOUNTS: dict[str | None, Callable[[str], list[str]]] = {
    "date": say_date, "iso": say_iso_date, "money": say_money, "ordinal": say_ordinal, "decade": say_decade,
    "initials": _initials,
}  # fmt: skip
