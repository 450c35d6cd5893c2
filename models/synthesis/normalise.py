"""Written text to spoken words and pauses: numbers, money, dates, times, abbreviations, signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from models.synthesis.pronunciation import PAUSE

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
"""Larger numbers are said digit by digit."""


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


ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "prof": "professor", "st": "saint", "jr": "junior",
    "sr": "senior", "vs": "versus", "etc": "et cetera", "approx": "approximately", "dept": "department",
    "gov": "governor", "gen": "general", "sen": "senator", "rep": "representative", "capt": "captain",
    "col": "colonel", "sgt": "sergeant", "inc": "incorporated", "ltd": "limited", "co": "company",
    "corp": "corporation", "ave": "avenue", "blvd": "boulevard", "no": "number", "fig": "figure", "jan": "january",
    "feb": "february", "mar": "march", "apr": "april", "jun": "june", "jul": "july", "aug": "august",
    "sep": "september", "sept": "september", "oct": "october", "nov": "november", "dec": "december",
    "mon": "monday", "tue": "tuesday", "wed": "wednesday", "thu": "thursday", "fri": "friday",
}  # fmt: skip
"""Said in full where a full stop follows."""

UNMISTAKABLE = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "jr", "sr", "vs", "etc", "approx", "dept", "capt", "sgt", "ltd", "blvd")
)
"""Said in full without a full stop too: they are no words."""

WORDS_TOO = frozenset(("no", "mar", "mon", "fig", "gen", "rep", "inc", "col", "sen", "jun", "st", "co"))
"""Words of their own, or names: as the last of a sentence their full stop is the sentence's."""

INITIALS = {"e.g.": "for example", "i.e.": "that is"}

UNITS = {
    "km": "kilometers", "cm": "centimeters", "mm": "millimeters", "m": "meters", "kg": "kilograms", "g": "grams",
    "mg": "milligrams", "ms": "milliseconds", "s": "seconds", "min": "minutes", "h": "hours", "mph": "miles per hour",
    "ft": "feet", "lb": "pounds", "lbs": "pounds", "oz": "ounces", "hz": "hertz", "khz": "kilohertz", "mb": "megabytes",
    "gb": "gigabytes", "kb": "kilobytes", "tb": "terabytes", "l": "liters", "ml": "milliliters", "w": "watts",
    "kw": "kilowatts", "v": "volts",
}  # fmt: skip
"""Said in full after a number."""

SIGNS = {
    "%": "percent", "&": "and", "@": "at", "+": "plus", "=": "equals", "#": "number", "°": "degrees", "×": "times",
    "÷": "divided by", "<": "less than", ">": "greater than", "*": "star", "/": "slash", "$": "dollars", "€": "euros",
    "£": "pounds", "¥": "yen", "~": "about", "\\": "backslash", "_": "underscore", "^": "caret", "|": "bar",
}  # fmt: skip

CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"), "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"), "¥": ("yen", "yen", "", ""),
}  # fmt: skip
"""Sign -> one, many, one and many of its hundredth ("" where there is none)."""

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

SHORT_WORDS = frozenset(
    ("AM", "AN", "AS", "AT", "BE", "BY", "DO", "GO", "HE", "IF", "IN", "IS", "IT", "ME", "MY", "NO", "OF", "ON", "OR",
     "SO", "TO", "UP", "US", "WE")
)  # fmt: skip
"""Two capitals that are a word; others are said letter by letter."""

SPELLED = frozenset(
    ("ABC", "AFC", "AOL", "API", "ATM", "BBC", "CEO", "CFO", "CIA", "CPU", "DIY", "DNA", "ETA", "EPA", "FAQ", "FBI",
     "FDA", "GPU", "HIV", "IBM", "ICU", "IOU", "IPO", "IRS", "ISP", "MBA", "MRI", "NBA", "NYC", "OMG", "RNA", "SOS",
     "SUV", "UAE", "UFO", "UPS", "URL", "USA", "USB", "VIP", "YMCA")
)  # fmt: skip
"""Capitals with a vowel that are said letter by letter; without a vowel all are."""


_YEARS = range(1100, 2100)
"""Four digits without a comma are a year in this range, unless a unit follows."""


def say_date(written: str) -> list[str]:
    """`May 3rd, 1999`, `3 May` or `Dec. 24` to month, day as an ordinal, year."""
    month = next(month for month in MONTHS if month[:3] in written)
    day, *years = (int(part) for part in re.findall(r"\d+", written))
    return [month.lower(), *ordinal(day), *(word for number in years for word in year(number))]


def say_iso_date(written: str) -> list[str]:
    """`2024-05-01` likewise; digit by digit where it is no date."""
    of_year, month, day = (int(part) for part in written.split("-"))
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return digits(written.replace("-", ""))
    return [MONTHS[month - 1].lower(), *ordinal(day), *year(of_year)]


def say_time(written: str, after: str) -> list[str]:
    """`10:30` is ten thirty, `7:05` seven oh five, `9:00` nine o'clock (nine, where a.m. or p.m. follows)."""
    hour, minute = (int(part) for part in written.split(":"))
    if minute:
        return [*cardinal(hour), *(["oh"] if minute < 10 else []), *cardinal(minute)]
    if re.match(r"\s?[ap]\.?m\b", after, re.IGNORECASE):
        return cardinal(hour)
    return [*cardinal(hour), "o'clock" if 1 <= hour <= 12 else "hundred"]


def say_money(written: str) -> list[str]:
    """`$5.50` is five dollars and fifty cents, `£1` one pound, `$1.25 million` one point two five million dollars."""
    one, many, cent, cents = CURRENCIES[written[0]]
    amount, _, scale = written[1:].strip().replace(",", "").partition(" ")
    whole, _, part = amount.partition(".")
    if scale or (part and (not cents or len(part) != 2)):
        return [*say_number(amount), *([scale] if scale else []), many]
    words = [*cardinal(int(whole)), one if int(whole) == 1 else many]
    if part and int(part):
        words += ["and", *cardinal(int(part)), cent if int(part) == 1 else cents]
    return words


def say_ordinal(written: str) -> list[str]:
    """`23rd` is twenty third."""
    return ordinal(int(written[:-2].replace(",", "")))


def say_decade(written: str) -> list[str]:
    """`1990s` is nineteen nineties."""
    *words, last = year(int(written[:-1]))
    return [*words, last[:-1] + "ies" if last.endswith("y") else last + "s"]


def say_number(written: str, before: str = "", after: str = "") -> list[str]:
    """`-3,400.5`: a point, commas and a minus are known, the latter not within a word; four digits may be a year."""
    bare = written.lstrip("-−")
    sign = ["minus"] if bare != written and not before[-1:].isalnum() else []
    whole, _, part = bare.replace(",", "").partition(".")
    if part:
        return [*sign, *decimal(whole, part)]
    if len(bare) == 4 and int(whole) in _YEARS and not sign and not _is_measured(after):
        return year(int(whole))
    if len(whole) > 1 and whole[0] == "0":
        return [*sign, *digits(whole)]
    return [*sign, *cardinal(int(whole))]


def _is_measured(after: str) -> bool:
    unit = re.match(r"\s?([A-Za-z]+|[%°])", after)
    return unit is not None and (unit[1].lower() in UNITS or unit[1] in "%°")


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
    """Normalise a text: lower-case words, spelled letters as `a.`, and `PAUSE` between parts of sentences.

    No two pauses in a row, none first or last. Signs without a name are dropped.

    Example:
        >>> to_words("Dr. Smith paid $5 to the BBC, OK?")
        ['doctor', 'smith', 'paid', 'five', 'dollars', 'to', 'the', 'b.', 'b.', 'c.', 'pau', 'o.', 'k.']
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
