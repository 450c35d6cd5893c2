"""Written amounts to words: dates, times, money, numbers with and without a point."""

from __future__ import annotations

import re

from models.synthesis.numbers import cardinal, decimal, digits, ordinal, year
from models.synthesis.abbreviations import CURRENCIES, MONTHS, UNITS

_YEARS = range(1100, 2100)
"""Four digits without a comma are a year in this range, unless a unit follows."""


def say_date(written: str) -> list[str]:
    """`May 3rd, 1999`, `3 May` or `Dec. 24` to month, day as an ordinal, year."""
    month = next(month for month in MONTHS if month[:3] in written)
    day, *years = (int(part) for part in re.findall(r"\d+", written))
    return [month.lower(), *ordinal(day), *(word for written in years for word in year(written))]


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
