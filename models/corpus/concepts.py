"""Which concepts are in all picture styles, and which texts may stand for them."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

from models.corpus.packages import STYLES, read_style, read_words
from models.protocol import Concept, Texts

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
