"""Error rates count words and characters as told, after the normalisation that is told."""

from __future__ import annotations

import random

import pytest

from models.evaluation.error_rates import characters_of, edit_distance, normalise, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Two red apples, please!", ["two", "red", "apples", "please"]),
        ("It’s 'five o'clock'", ["it's", "five", "o'clock"]),
        ("well-known\n\tthings — all", ["well", "known", "things", "all"]),
        ("ＡＢＣ　Straße", ["abc", "strasse"]),
        ("两个红苹果。", ["两", "个", "红", "苹", "果"]),
        ("我有 2 个 iPhone", ["我", "有", "2", "个", "iphone"]),
        ("...", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Case, punctuation and width do not count; apostrophes in words do; a Chinese character is a word."""
    assert words_of(text) == words


def test_characters_leave_spaces_out() -> None:
    """Spaces are no characters; what is normalised twice stays."""
    assert characters_of("A b, c.") == ["a", "b", "c"]
    assert normalise(normalise("Don’t — STOP")) == "don't stop"


def slow_distance(a: str, b: str) -> int:
    """The textbook's table."""
    table = [[i + j if not i * j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            swapped = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, swapped)
    return table[-1][-1]


def test_distance_is_the_textbooks() -> None:
    """The fast form agrees with the plain table, also on empty texts."""
    assert edit_distance("kitten", "sitting") == 3
    for _ in range(300):
        a, b = ("".join(random.choices("abc", k=random.randint(0, 9))) for _ in "ab")
        assert edit_distance(a, b) == slow_distance(a, b)
