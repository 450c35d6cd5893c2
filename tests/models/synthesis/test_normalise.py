"""Text is said in words: numbers, dates, money, abbreviations and signs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.synthesis.normalise import to_words
from models.synthesis.pronunciation import PAUSE

CASES = {
    "Red apple": "red apple",
    "I can't. He didn't!": "i can't pau he didn't",
    "Dr. Smith paid $5.50 on May 3rd, 1999.":
        "doctor smith paid five dollars and fifty cents on may third nineteen ninety nine",
    "on 3 May 2005, or 24 Dec. 1900": "on may third two thousand five pau or december twenty fourth nineteen hundred",
    "2024-05-01": "may first twenty twenty four",
    "1234-99-99": "one two three four nine nine nine nine",
    "10:30, 7:05 and 9:00": "ten thirty pau seven oh five and nine o'clock",
    "9:00 a.m.": "nine a. m.",
    "14:00": "fourteen hundred",
    "3,400,000 people": "three million four hundred thousand people",
    "1200 km in 1200": "one thousand two hundred kilometers in twelve hundred",
    "$1.25 million, £1, €0.01, ¥300":
        "one point two five million dollars pau one pound pau zero euros and one cent pau three hundred yen",
    "-5.25 and 3-4": "minus five point two five and three four",
    "the 1990s": "the nineteen nineties",
    "the 12th, 23rd, 30th": "the twelfth pau twenty third pau thirtieth",
    "007": "zero zero seven",
    "20% off & more": "twenty percent off and more",
    "NASA, FBI, U.S. and TV": "nasa pau f. b. i. pau u. s. and t. v.",
    "Mr. O'Neil vs. McDonald": "mister o'neil versus mcdonald",
    "The answer is no.": "the answer is no",
    "No. 5": "number five",
    "my iPhone (new)": "my i phone pau new",
    "Café — “naïve”": "cafe pau naive",
    "well-known -- e.g. this": "well known pau for example this",
    "٣ 😀": "",
}  # fmt: skip


@pytest.mark.parametrize("written", CASES)
def test_is_said(written: str) -> None:
    """Each is said as an American would read it aloud."""
    assert " ".join(to_words(written)) == CASES[written]


@given(st.text())
def test_any_text_is_words_with_single_pauses_between(text: str) -> None:
    """Whatever is written: words of letters, never a pause first, last or twice in a row."""
    words = to_words(text)
    assert all(word == PAUSE or word.replace("'", "").rstrip(".").isalpha() for word in words)
    assert all(word.isascii() and word == word.lower() for word in words)
    assert PAUSE not in (words[:1] + words[-1:])
    assert all({a, b} != {PAUSE} for a, b in pairwise(words))
