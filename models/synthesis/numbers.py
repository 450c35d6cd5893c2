"""Numbers as words, as Americans say them: cardinals, ordinals, years, decimals."""

from __future__ import annotations

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
LIMIT = 10**15
"""From here on a number is said digit by digit."""


def cardinal(number: int) -> list[str]:
    """A number of at least 0 as words: 1205 is one thousand two hundred five."""
    if number >= LIMIT:
        return digits(str(number))
    if number < 20:
        return [_SMALL[number]]
    if number < 100:
        return [_TENS[number // 10], *([_SMALL[number % 10]] if number % 10 else [])]
    size, name = next(scale for scale in _SCALES if number >= scale[0])
    rest = cardinal(number % size) if number % size else []
    return [*cardinal(number // size), name, *rest]


def ordinal(number: int) -> list[str]:
    """1 is first, 23 is twenty third."""
    *words, last = cardinal(number)
    if last.endswith("y"):
        return [*words, last[:-1] + "ieth"]
    return [*words, _ORDINALS.get(last, last + "th")]


def year(number: int) -> list[str]:
    """1999 is nineteen ninety nine, 1905 nineteen oh five, 2005 two thousand five; for 1000 to 2999."""
    century, rest = divmod(number, 100)
    if number % 1000 < 10:
        return cardinal(number)
    if rest == 0:
        return [*cardinal(century), "hundred"]
    return [*cardinal(century), *(["oh"] if rest < 10 else []), *cardinal(rest)]


def decimal(whole: str, fraction: str) -> list[str]:
    """`3`, `14` is three point one four; no whole part is zero."""
    return [*cardinal(int(whole or "0")), "point", *digits(fraction)]


def digits(text: str) -> list[str]:
    """Each digit of a string as a word."""
    return [_SMALL[int(character)] for character in text]
