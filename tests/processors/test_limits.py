"""Every reason can be said to people."""

from __future__ import annotations

from processors.limits import IN_WORDS, REASONS


def test_every_reason_has_its_words() -> None:
    """No reason without words, and no two with the same."""
    assert set(IN_WORDS) == REASONS
    assert len(set(IN_WORDS.values())) == len(REASONS)
