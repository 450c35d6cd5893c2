"""Which concepts are held out for zero-shot, and which other words are spoken for training."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from models.corpus.concepts import kin
from models.corpus.packages import read_words
from models.protocol import Concept

N_HELD_OUT = 100
N_WORDS = 3000

PEOPLE: dict[str, str] = {
    "man": "person", "woman": "person", "men": "person", "women": "person", "people": "person",
    "boy": "person", "girl": "person", "child": "person", "baby": "person",
    "princess": "prince", "mermaid": "merman", "mrs": "santa", "mother": "parent", "father": "parent",
    "prince": "prince", "merman": "merman", "santa": "santa",
}  # fmt: skip
"""Words that tell variants of one concept apart, each with what all variants have in its place."""


def variant_key(label: str) -> str:
    """What a concept's person, man and woman variants have in common: two labels with one key are one unit."""
    words: list[str] = re.findall(r"\w+", label.lower())
    return " ".join(PEOPLE.get(word, word) for word in words)


def subgroups(packages_dir: Path, concepts: Sequence[Concept]) -> dict[str, int]:
    """Concept name -> emojibase's subgroup (about 80 of them: cat faces, food and drink, ...)."""
    of_label = {record["label"]: record.get("subgroup", -1) for record in read_words(packages_dir, "en")}
    return {c.name: of_label[c.label] for c in concepts}


def draw_held_out(concepts: Sequence[Concept], subgroup: dict[str, int], seed: int, n: int = N_HELD_OUT) -> list[str]:
    """Names of `n` concepts, each subgroup with its share, variants together; in the concepts' order."""
    dice = random.Random(seed)
    units: dict[str, list[Concept]] = defaultdict(list)
    for c in concepts:
        units[variant_key(c.label)].append(c)
    quota = _quotas(concepts, subgroup, n)
    drawn: set[str] = set()
    shuffled = dice.sample(list(units.values()), len(units))
    for unit in sorted(shuffled, key=len, reverse=True):  # large units first: they fit only while a quota is whole
        of = subgroup[unit[0].name]
        if len(unit) <= quota[of] and (len(unit) == 1 or dice.random() < n / len(concepts)):
            quota[of] -= len(unit)
            drawn |= {c.name for c in unit}
    spare = [unit[0].name for unit in shuffled if len(unit) == 1 and unit[0].name not in drawn]
    drawn.update(spare[: n - len(drawn)])  # where a subgroup has nothing that fits its quota
    return [c.name for c in concepts if c.name in drawn]


def _quotas(concepts: Sequence[Concept], subgroup: dict[str, int], n: int) -> dict[int, int]:
    """How many of each subgroup: proportional, what rounding leaves to the largest remainders."""
    sizes: dict[int, int] = defaultdict(int)
    for c in concepts:
        sizes[subgroup[c.name]] += 1
    exact = {group: n * size / len(concepts) for group, size in sizes.items()}
    quota = {group: int(share) for group, share in exact.items()}
    by_remainder = sorted(exact, key=lambda group: (quota[group] - exact[group], group))
    for group in by_remainder[: n - sum(quota.values())]:
        quota[group] += 1
    return quota


def draw_words(packages_dir: Path, concepts: Sequence[Concept], held_out: Sequence[str], seed: int) -> list[str]:
    """Words and short phrases of emojibase that are no label, and have no form of a word of a held-out label."""
    labels = {c.label.lower() for c in concepts}
    out_words = {w for c in concepts if c.name in set(held_out) for w in re.findall(r"\w+", c.label.lower())}
    found: set[str] = set()
    for record in read_words(packages_dir, "en"):
        for text in (record["label"].lower(), *map(str.lower, record.get("tags", []))):
            found |= {text, *re.findall(r"[a-z]+", text)}
    said = [text for text in sorted(found) if text not in labels and _can_be_said(text)]
    fair = [text for text in said if not any(kin(word, other) for word in text.split() for other in out_words)]
    return sorted(random.Random(seed).sample(fair, min(N_WORDS, len(fair))))


def _can_be_said(text: str) -> bool:
    words = text.split()
    whole = all(re.fullmatch(r"[a-z]{2,}", word) and re.search(r"[aeiouy]", word) for word in words)
    return whole and len(words) <= 3 and 3 <= len(text) <= 24
