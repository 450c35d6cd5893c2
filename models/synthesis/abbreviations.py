"""What stands for a word without being one: abbreviations, units, signs, currencies."""

from __future__ import annotations

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
"""Two capitals that are a word; all others are said letter by letter."""

SPELLED = frozenset(
    ("ABC", "AFC", "AOL", "API", "ATM", "BBC", "CEO", "CFO", "CIA", "CPU", "DIY", "DNA", "ETA", "EPA", "FAQ", "FBI",
     "FDA", "GPU", "HIV", "IBM", "ICU", "IOU", "IPO", "IRS", "ISP", "MBA", "MRI", "NBA", "NYC", "OMG", "RNA", "SOS",
     "SUV", "UAE", "UFO", "UPS", "URL", "USA", "USB", "VIP", "YMCA")
)  # fmt: skip
"""Capitals with a vowel that are said letter by letter all the same; without one every word is."""
