"""Reads a style, a voice and the texts as the service would, and says how often the model finds the concept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from models.evaluation.figures import interval
from models.evaluation.protocol import Concept, Texts
from models.interface import Member, Model, Prepared
from syncline.errors import SettingsError

KINDS = ("image", "text", "audio", "image+text", "image+audio", "text+audio", "image+text+audio")
BATCH = 32


class AccuracyRow(msgspec.Struct, frozen=True):
    """One line of the card: sets with these lanes, over `n_concepts`.

    top1: how often the best label is right; low, high: its 95 % interval over concepts. best_part: the best lane (or
    pair) by itself over the same concepts, and by how much it is beaten, with the 95 % interval of the paired gap.
    """

    kind: str
    n_concepts: int
    top1: float
    low: float
    high: float
    best_part: str = ""
    gap: float = 0.0
    gap_low: float = 0.0
    gap_high: float = 0.0


class ReferenceReport(msgspec.Struct, frozen=True):
    """What `syncline model evaluate` writes: `with_text` over concepts that have a text, `all_concepts` over all."""

    model: str
    version: str
    split: str
    style: str
    voice: str
    language: str
    with_text: list[AccuracyRow]
    all_concepts: list[AccuracyRow]
    label_recall_at_5: dict[str, float]


Media = dict[str, list[Prepared | None]]
"""Modality -> the media of each concept, None where it has none."""


def read_media(
    model: Model, corpus_dir: Path, concepts: Sequence[Concept], texts: dict[str, str], style: str, voice: str
) -> Media:
    """Prepare one picture, clip and text of each concept. Raises SettingsError where the corpus lacks a file."""

    def one(modality: str, folder: str, suffix: str, content_type: str, concept: Concept) -> Prepared:
        path = corpus_dir / folder / f"{concept.name}.{suffix}"
        if not path.is_file():
            raise SettingsError("--corpus", str(path), "a corpus that `make corpus` built")
        return model.prepare(modality, path.read_bytes(), content_type, "en")

    def text(concept: Concept) -> Prepared | None:
        found = texts.get(concept.name)
        return None if found is None else model.prepare("text", found.encode(), "text/plain", None)

    return {
        "image": [one("image", f"pictures/{style}", "png", "image/png", c) for c in concepts],
        "text": [text(c) for c in concepts],
        "audio": [one("audio", f"speech/{voice}", "wav", "audio/wav", c) for c in concepts],
    }


def hits(model: Model, media: Media, labels: Sequence[str], kind: str) -> tuple[npt.NDArray[np.bool_], float]:
    """Whether the best label is right, for each concept, and how often the right one is among the labels given."""
    lanes = kind.split("+")
    sets = [
        [Member(lane, lane, prepared) for lane in lanes if (prepared := media[lane][i]) is not None]
        for i in range(len(labels))
    ]
    answers = [answer for at in range(0, len(sets), BATCH) for answer in model.run(sets[at : at + BATCH])]
    found = [[label for label, _ in answer.labels] for answer in answers]
    right = np.array([names[0] == label for names, label in zip(found, labels, strict=True)])
    among = float(np.mean([label in names for names, label in zip(found, labels, strict=True)]))
    return right, among


def evaluate(model: Model, media: Media, concepts: Sequence[Concept], about: dict[str, str]) -> ReferenceReport:
    """All kinds of sets. `about`: split, style, voice and language, for the report."""
    labels = [c.label for c in concepts]
    has_text = np.array([prepared is not None for prepared in media["text"]])
    by_kind = {kind: hits(model, media, labels, kind) for kind in KINDS}
    everywhere = {kind: right for kind, (right, _) in by_kind.items() if "text" not in kind}
    fair = {kind: right[has_text] for kind, (right, _) in by_kind.items()}
    return ReferenceReport(
        model.name,
        model.version,
        with_text=_rows(fair),
        all_concepts=_rows(everywhere),
        label_recall_at_5={kind: among for kind, (_, among) in by_kind.items() if "text" not in kind},
        **about,
    )


def _rows(right: dict[str, npt.NDArray[np.bool_]]) -> list[AccuracyRow]:
    rows: list[AccuracyRow] = []
    for kind, mine in right.items():
        low, high = interval(mine)
        row = AccuracyRow(kind, len(mine), float(mine.mean()), low, high)
        parts = [other for other in right if other != kind and set(other.split("+")) < set(kind.split("+"))]
        if parts:
            best = max(parts, key=lambda part: right[part].mean())
            gap = mine.astype(np.float64) - right[best]
            gap_low, gap_high = interval(gap)
            row = msgspec.structs.replace(
                row, best_part=best, gap=float(gap.mean()), gap_low=gap_low, gap_high=gap_high
            )
        rows.append(row)
    return rows


def as_text(report: ReferenceReport) -> str:
    """The report for a reader."""
    head = f"{report.model} {report.version} on {report.split}: style {report.style}, voice {report.voice}"
    fair = [f"concepts with a text ({report.language}):", table(report.with_text)]
    return "\n".join([head, "", *fair, "", "all concepts:", table(report.all_concepts)])


def table(rows: Sequence[AccuracyRow]) -> str:
    """The rows as a Markdown table."""
    lines = ["| lanes | concepts | top-1 | 95 % interval | best part | gap to it (95 %) |", "|---|---|---|---|---|---|"]
    for row in rows:
        gap = f"{row.gap:+.3f} ({row.gap_low:+.3f} to {row.gap_high:+.3f})" if row.best_part else ""
        accuracy = f"{row.top1:.3f} | {row.low:.3f}-{row.high:.3f}"
        lines.append(f"| {row.kind} | {row.n_concepts} | {accuracy} | {row.best_part} | {gap} |")
    return "\n".join(lines)


def texts_of(texts: Texts, language: str) -> dict[str, str]:
    """The texts of one language. Raises SettingsError for a language without any."""
    by_language = {"en": texts.en, "zh": texts.zh}
    if language not in by_language:
        raise SettingsError("--language", language, ", ".join(by_language))
    return by_language[language]
