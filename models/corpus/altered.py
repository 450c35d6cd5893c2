"""Texts that are hard to read or plainly wrong, drawn by seed: typos, and what belongs to another concept."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from models.protocol import AlteredTexts, Concept, Conditions, Texts


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
