"""Error rates of transcripts: words and characters, after normalisation.

Normalisation: Unicode NFKC, lower case, apostrophes within words kept, all other punctuation and signs become spaces,
white space becomes one space, numbers stay as written. A Chinese, Japanese or Thai character counts as a word, since
such texts have no spaces. jiwer gives rates only; intervals need the counts of each clip.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "＇": "'"})
_UNPARTED = re.compile(r"([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
"""Thai, kana, Han."""


def normalise(text: str) -> str:
    """Normalise a text: words with one space in between.

    Example:
        >>> normalise("It’s  10:30, OK?")
        "it's 10 30 ok"
    """
    folded = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    kept = "".join(" " if unicodedata.category(c)[0] in "PSZC" and c != "'" else c for c in folded)
    return " ".join(word.strip("'") for word in kept.split() if word.strip("'"))


def words_of(text: str) -> list[str]:
    """The normalised words."""
    return _UNPARTED.sub(r" \1 ", normalise(text)).split()


def characters_of(text: str) -> list[str]:
    """The normalised characters, without spaces."""
    return list(normalise(text).replace(" ", ""))


def edit_distance(said: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest insertions, deletions and substitutions that turn one into the other (Levenshtein 1966).

    Example:
        >>> edit_distance("kitten", "sitting")
        3
    """
    numbers = {item: n for n, item in enumerate(dict.fromkeys([*said, *heard]))}
    row = np.arange(len(heard) + 1)
    theirs = np.array([numbers[item] for item in heard], np.int64)
    ahead = np.arange(len(heard) + 1)
    for i, item in enumerate(said, start=1):
        new = np.empty_like(row)
        new[0] = i
        new[1:] = np.minimum(row[1:] + 1, row[:-1] + (theirs != numbers[item]))
        row = np.minimum.accumulate(new - ahead) + ahead  # insertions: the least of all places before, one each
    return int(row[-1])
