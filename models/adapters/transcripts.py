"""What recognisers share: timed words, languages, runaway texts, the transcript of a clip from its pieces."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

from models.interface import Text, TimedWord


class Token(NamedTuple):
    """A token: its text, its start in its piece, its log-probability."""

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


SILENT = Text("", 0.0)
MAX_TOKENS_PER_S = 10
"""Fast speech has about 7 tokens a second; a text with more repeats itself."""
MAX_COMPRESSION = 2.4
"""Whisper's limit: a text that zlib compresses more repeats itself (arXiv 2212.04356, section 4.5)."""
NO_SPEECH, MIN_LOGPROB = 0.6, -1.0
"""A piece is silence if its probability of no speech is above, and its mean log-probability below these (ibid.)."""
_OTHER_CODES = {"nb": "no", "jv": "jw", "iw": "he", "cmn": "zh"}
_UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}


class HeardPiece(NamedTuple):
    """What one piece says. `logprob`: mean of its tokens. `words`: times from the start of the clip."""

    text: str
    logprob: float
    n_tokens: int
    language: str
    words: tuple[TimedWord, ...] = ()


def language_code(language: str | None, known: Collection[str]) -> str | None:
    """Whisper's code for a BCP 47 tag; None (to be detected) where it is missing or unknown.

    Example:
        >>> language_code("en-GB", {"en", "de"})
        'en'
    """
    code = (language or "").lower().replace("_", "-").split("-")[0]
    code = _OTHER_CODES.get(code, code)
    return code if code in known else None


def max_tokens(n_ms: int) -> int:
    """The most tokens that a piece of `n_ms` may have."""
    return 12 + n_ms * MAX_TOKENS_PER_S // 1_000


def repeats_itself(text: str) -> bool:
    """Whether a text compresses better than speech does."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) > MAX_COMPRESSION


def is_silence(no_speech: float, logprob: float) -> bool:
    """Whether a recogniser doubts both that there is speech and what it heard."""
    return no_speech > NO_SPEECH and logprob < MIN_LOGPROB


def one_transcript(pieces: Sequence[HeardPiece]) -> Text:
    """Join the pieces of a clip, in order. The score is exp of the mean log-probability of all tokens."""
    said = [piece for piece in pieces if piece.text.strip()]
    if not said:
        return SILENT
    n_tokens = sum(piece.n_tokens for piece in said)
    logprob = sum(piece.logprob * piece.n_tokens for piece in said) / max(1, n_tokens)
    language = max(said, key=lambda piece: piece.n_tokens).language
    text = ("" if language in _UNSPACED else " ").join(piece.text.strip() for piece in said)
    words = tuple(word for piece in said for word in piece.words)
    return Text(text, min(1.0, math.exp(logprob)), language, words)
