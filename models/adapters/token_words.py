"""Tokens with times to words with times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from models.interface import TimedWord


class Token(NamedTuple):
    """A token's text, when it begins in its piece, its log-probability."""

    text: str
    start_ms: int
    logprob: float


def timed_words(tokens: Sequence[Token], offset_ms: int, n_ms: int) -> tuple[TimedWord, ...]:
    """Words of a piece that begins at `offset_ms` and lasts `n_ms`: a token that begins with a space begins a word.

    A word ends where the next one begins. Its score is the mean probability of its tokens.
    """
    groups: list[list[Token]] = []
    for token in tokens:
        if not groups or token.text.startswith(" "):
            groups.append([])
        groups[-1].append(token)
    words: list[TimedWord] = []
    for i, group in enumerate(groups):
        text = "".join(token.text for token in group).strip()
        start = min(n_ms, group[0].start_ms)
        end = min(n_ms, groups[i + 1][0].start_ms) if i + 1 < len(groups) else n_ms
        score = sum(math.exp(min(0.0, token.logprob)) for token in group) / len(group)
        if text:
            words.append(TimedWord(text, offset_ms + start, offset_ms + max(start, end), score))
    return tuple(words)
