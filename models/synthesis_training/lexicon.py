"""Makes the lexicon of Debian's festlex-cmu (CMUdict 0.4 as the Festival project gives it away)."""

from __future__ import annotations

import random
import re
from pathlib import Path

from models.synthesis.phones import PHONES
from syncline.errors import SettingsError

SOURCE = Path("/usr/share/festival/dicts/cmu/cmudict-0.4.out")
N_UNSEEN = 2000
SEED = 5

_ENTRY = re.compile(r'\("([a-z\']+)" (\w+) (.*)\)')
_TAKEN = ("nil", "dt", "n", "j")
"""Of words that are said by their part of speech: which is taken, best first; a noun is what is met most often."""


def read_source(path: Path = SOURCE) -> dict[str, list[str]]:
    """Word in small letters -> its phones. Raises SettingsError where the package is not installed."""
    if not path.exists():
        raise SettingsError(str(path), "no such file", "CMU's dictionary (Debian: festlex-cmu)")
    found: dict[str, dict[str, list[str]]] = {}
    for line in path.read_text(encoding="latin1").splitlines():
        entry = _ENTRY.match(line)
        if entry:
            phones = [phone for phone in re.findall(r"[a-z]+", entry[3]) if phone in PHONES]
            found.setdefault(entry[1], {}).setdefault(entry[2], phones)
    return {word: _best(kinds) for word, kinds in found.items()}


def split_unseen(words: dict[str, list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Words to learn spelling from, and 2,000 that are kept for the test; a word and its forms are on one side."""
    stems = sorted({stem_of(word) for word in words})
    random.Random(SEED).shuffle(stems)
    members: dict[str, list[str]] = {}
    for word in sorted(words):
        members.setdefault(stem_of(word), []).append(word)
    unseen: list[str] = []
    for stem in stems:
        unseen += members[stem][: N_UNSEEN - len(unseen)]
        if len(unseen) == N_UNSEEN:
            held = set(stems[: stems.index(stem) + 1])
            break
    else:
        raise SettingsError("lexicon", f"{len(words)} words", f"more than {N_UNSEEN}")
    return {w: p for w, p in words.items() if stem_of(w) not in held}, {w: words[w] for w in unseen}


def stem_of(word: str) -> str:
    """What forms of a word have in common, roughly: `hammers`, `hammer's` and `hammering` are `hammer`."""
    return re.sub(r"(?<=\w{3})('s|s'|ings?|ed|ers?|es|s|ly)$", "", word).replace("'", "")


def _best(kinds: dict[str, list[str]]) -> list[str]:
    return next((kinds[kind] for kind in _TAKEN if kind in kinds), next(iter(kinds.values())))
