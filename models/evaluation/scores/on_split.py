"""Scores any model on one split of the corpus: `syncline model evaluate MODEL`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from models.evaluation.protocol import Concept, Texts
from models.evaluation.scores.answers_found import Found
from models.evaluation.scores.ask import KINDS, answer
from models.evaluation.scores.conditions import Media, read_pictures, read_speech, read_texts
from models.evaluation.scores.tables import ScoreRow, beside_parts, table
from models.interface import Model
from syncline.errors import SettingsError


class SplitReport(msgspec.Struct, frozen=True):
    """What `syncline model evaluate MODEL` writes.

    Attributes:
        with_text (list[ScoreRow]): every kind of set, over the concepts that have a text.
        all_concepts (list[ScoreRow]): the kinds without text, over all concepts.
        label_recall_at_5 (dict[str, float]): how often the right label is among those given, by kind without text.
    """

    model: str
    version: str
    split: str
    style: str
    voice: str
    language: str
    with_text: list[ScoreRow]
    all_concepts: list[ScoreRow]
    label_recall_at_5: dict[str, float]


def read_media(
    model: Model, corpus_dir: Path, concepts: Sequence[Concept], texts: dict[str, str], style: str, voice: str
) -> dict[str, Media]:
    """Prepare one picture, text and clip of each concept.

    Raises:
        SettingsError: the corpus lacks a file.
    """
    return {
        "image": read_pictures(model, corpus_dir, concepts, style),
        "text": read_texts(model, [texts.get(c.name) for c in concepts]),
        "audio": read_speech(model, corpus_dir, concepts, voice),
    }


def hits(model: Model, media: dict[str, Media], labels: Sequence[str], kind: str) -> tuple[Found, float]:
    """Whether the best label is right (NaN: not asked), and how often the right one is among the labels given."""
    found = [None if one is None else [label for label, _ in one.labels] for one in answer(model, media, kind)]
    best = np.array([
        np.nan if names is None else names[:1] == [label] for names, label in zip(found, labels, strict=True)
    ])  # fmt: skip
    among = [label in names for names, label in zip(found, labels, strict=True) if names is not None]
    return best.astype(np.float64), float(np.mean(among))


def evaluate(model: Model, media: dict[str, Media], concepts: Sequence[Concept], about: dict[str, str]) -> SplitReport:
    """Ask about every kind of set. `about`: split, style, voice and language, for the report."""
    labels = [c.label for c in concepts]
    has_text = np.array([prepared is not None for prepared in media["text"]])
    by_kind = {kind: hits(model, media, labels, kind) for kind in KINDS}
    wordless = {kind: one for kind, one in by_kind.items() if "text" not in kind}
    return SplitReport(
        model.name,
        model.version,
        with_text=beside_parts({kind: best[has_text] for kind, (best, _) in by_kind.items()}),
        all_concepts=beside_parts({kind: best for kind, (best, _) in wordless.items()}),
        label_recall_at_5={kind: among for kind, (_, among) in wordless.items()},
        **about,
    )


def as_text(report: SplitReport) -> str:
    """The report as tables."""
    head = f"{report.model} {report.version} on {report.split}: style {report.style}, voice {report.voice}"
    fair = [f"concepts with a text ({report.language}):", table(report.with_text)]
    return "\n".join([head, "", *fair, "", "all concepts:", table(report.all_concepts)])


def texts_of(texts: Texts, language: str) -> dict[str, str]:
    """The texts of one language.

    Raises:
        SettingsError: the language has no texts.
    """
    by_language = {"en": texts.en, "zh": texts.zh}
    if language not in by_language:
        raise SettingsError("--language", language, ", ".join(by_language))
    return by_language[language]
