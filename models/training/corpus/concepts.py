"""Draws the protocol's lists: concepts that all picture styles have, held-out ones, their texts, altered texts."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.evaluation.protocol import AlteredTexts, Concept, Conditions, Texts
from models.training.corpus.packages import STYLES, read_style, read_words

LEFT_OUT_GROUPS = (None, 2, 8, 9)  # regional letters, skin tones and hair, symbols, flags
MIN_SHARED, MAX_SHARED = 3, 30
"""A text is fair when this many concepts share it: fewer names the concept, more says nothing."""


class StyleIndex:
    """Finds the SVG body of a concept in one style, by code points or by name."""

    def __init__(self, packages_dir: Path, style: str) -> None:
        self._set = read_style(packages_dir, style, "icons.json")
        self.chars: dict[str, str] = read_style(packages_dir, style, "chars.json")

    def find(self, names: set[str]) -> str | None:
        """The icon's own name for one of `names` (aliases followed), or None."""
        for name in sorted(names):
            if name in self._set["icons"]:
                return name
            if name in self._set.get("aliases", {}):
                return self._set["aliases"][name]["parent"]
        return None

    def svg(self, icon_name: str) -> str:
        """A whole SVG document of an icon."""
        icon = self._set["icons"][icon_name]
        width = icon.get("width", self._set.get("width", 16))
        height = icon.get("height", self._set.get("height", 16))
        box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{box}" width="{width}" height="{height}">{icon["body"]}</svg>'
        )


def open_styles(packages_dir: Path) -> dict[str, StyleIndex]:
    """An index of every style."""
    return {style: StyleIndex(packages_dir, style) for style in STYLES}


def icon_names(record: dict[str, Any], indexes: dict[str, StyleIndex]) -> set[str]:
    """All names under which the styles may keep one emoji: by its code points and by its label."""
    code = record["hexcode"].lower()
    short = "-".join(part for part in code.split("-") if part != "fe0f")  # the mark "as picture" is left out in names
    label = re.sub(r"['’]", "", record["label"].lower())
    names = {re.sub(r"[^a-z0-9]+", "-", label).strip("-")}
    for index in indexes.values():
        names |= {index.chars[key] for key in (short, code) if key in index.chars}
    return names


def derive_concepts(packages_dir: Path) -> list[Concept]:
    """The concepts that all styles draw, with their fair texts, in emojibase's order."""
    indexes = open_styles(packages_dir)
    chinese = {record["hexcode"]: record for record in read_words(packages_dir, "zh")}
    kept: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for record in read_words(packages_dir, "en"):
        if record.get("group") in LEFT_OUT_GROUPS:
            continue
        names = icon_names(record, indexes)
        if all(index.find(names) for index in indexes.values()):
            kept.setdefault(record["label"], (record, chinese[record["hexcode"]]))
    tags_en = _shared([fair_tags(en["label"], en.get("tags", [])) for en, _ in kept.values()])
    tags_zh = _shared([fair_tags_zh(zh["label"], zh.get("tags", [])) for _, zh in kept.values()])
    return [
        Concept(
            min(icon_names(en, indexes)), en["label"], zh["label"], en["emoji"], en["group"], fair_en, fair_zh,
            _others(en, fair_en), _others(zh, fair_zh),
        )
        for (en, zh), fair_en, fair_zh in zip(kept.values(), tags_en, tags_zh, strict=True)
    ]  # fmt: skip


def fair_tags(label: str, tags: list[str]) -> list[str]:
    """The tags without any word of the label, nor a shorter or longer form of one (`grin` of `grinning`)."""
    label_words = re.findall(r"\w+", label.lower())
    return [tag for tag in tags if not any(kin(a, b) for a in re.findall(r"\w+", tag.lower()) for b in label_words)]


def fair_tags_zh(label: str, tags: list[str]) -> list[str]:
    """The Chinese tags without any character of the label: stricter than words, which have no sure border."""
    characters = set(re.findall(r"\w", label))
    return [tag for tag in tags if not characters & set(tag)]


def draw_texts(concepts: list[Concept], seed: int) -> Texts:
    """One text of each concept and language, drawn by seed."""
    dice = random.Random(seed)
    en = {c.name: dice.choice(c.tags_en) for c in concepts if c.tags_en}
    zh = {c.name: dice.choice(c.tags_zh) for c in concepts if c.tags_zh}
    names = [c.name for c in concepts]
    return Texts(seed, en, zh, [n for n in names if n not in en], [n for n in names if n not in zh])


def kin(a: str, b: str) -> bool:
    """Whether two words are one, or forms of one: equal, or a common start of all but the last few letters."""
    short, long = sorted((a, b), key=len)
    if a == b or (len(short) >= 3 and long.startswith(short)):
        return True
    return len(short) >= 5 and a[: len(short) - 2] == b[: len(short) - 2]


def _others(record: dict[str, Any], fair: list[str]) -> list[str]:
    return sorted(set(record.get("tags", [])) - {*fair, record["label"]})


def _shared(tags_of_each: list[list[str]]) -> list[list[str]]:
    counts = Counter(tag for tags in tags_of_each for tag in set(tags))
    return [sorted({t for t in tags if MIN_SHARED <= counts[t] <= MAX_SHARED}) for tags in tags_of_each]


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


def alter_texts(concepts: Sequence[Concept], texts: Texts, conditions: Conditions) -> AlteredTexts:
    """Typos and conflicting texts of each concept that has a text, in both languages."""
    drawn = {"en": texts.en, "zh": texts.zh}
    typos = {
        language: {
            name: with_typos(text, conditions.masked_share, conditions.mask, f"{conditions.seed} {name}")
            for name, text in of.items()
        }
        for language, of in drawn.items()
    }
    conflicting = {language: _conflicts(concepts, of, language, conditions.seed) for language, of in drawn.items()}
    return AlteredTexts(typos, conflicting)


def with_typos(text: str, share: float, mask: str, seed: str) -> str:
    """The text with `share` of its letters and digits masked, rounded, but one at least."""
    places = [at for at, character in enumerate(text) if re.match(r"\w", character)]
    masked = set(random.Random(seed).sample(places, max(1, round(share * len(places)))))
    return "".join(mask if at in masked else character for at, character in enumerate(text))


def _conflicts(concepts: Sequence[Concept], texts: dict[str, str], language: str, seed: int) -> dict[str, str]:
    """For each concept the text of another, drawn until it is none of the concept's own tags."""
    dice = random.Random(seed)
    out: dict[str, str] = {}
    for c in concepts:
        if c.name in texts:
            own = {c.label, c.label_zh, *getattr(c, f"tags_{language}"), *getattr(c, f"others_{language}")}
            out[c.name] = dice.choice([text for text in texts.values() if text not in own])
    return out
