"""Numbers are said in words."""

from __future__ import annotations

import pytest

from models.synthesis import normalise as numbers


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "zero"),
        (19, "nineteen"),
        (40, "forty"),
        (99, "ninety nine"),
        (1205, "one thousand two hundred five"),
        (1_000_000, "one million"),
        (2_000_000_000_017, "two trillion seventeen"),
        (10**15, "one" + " zero" * 15),
    ],
)
def test_cardinal(number: int, said: str) -> None:
    """A cardinal names its thousands; beyond trillions it is said digit by digit."""
    assert " ".join(numbers.cardinal(number)) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "first"), (12, "twelfth"), (20, "twentieth"), (23, "twenty third"), (104, "one hundred fourth")],
)
def test_ordinal(number: int, said: str) -> None:
    """An ordinal changes the last word alone."""
    assert " ".join(numbers.ordinal(number)) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1999, "nineteen ninety nine"),
        (1905, "nineteen oh five"),
        (1900, "nineteen hundred"),
        (2000, "two thousand"),
        (2005, "two thousand five"),
        (2026, "twenty twenty six"),
    ],
)
def test_year(number: int, said: str) -> None:
    """A year is said by its century, but the first of a millennium."""
    assert " ".join(numbers.year(number)) == said
