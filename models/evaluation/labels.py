"""The task `labels`: how often the label is right, among the model's own labels and among the manifest's."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from models.evaluation.answers import Answers, Vector, embed_texts, unit
from models.evaluation.error_rates import normalise
from models.evaluation.figures import Figure, ranks_among, rate
from models.interface import Model

TOP = 5


class Accuracy(msgspec.Struct, frozen=True):
    """The figures of one kind of set.

    Attributes:
        kind (str): the kind.
        n (int): how many rows have it.
        own (Figure | None): how often the right label is the model's best, over the rows whose label the model has (all
            rows if the model does not list its labels).
        own_at_5 (Figure | None): how often it is among the best five.
        given (Figure | None): how often the right one of the manifest's labels is closest to the set's embedding
            (cosine), over all rows.
        given_at_5 (Figure | None): how often it is among the closest five.
        best_part (str): the best smaller set over the same rows.
        gap (Figure | None): how much `scored` ("own" or "given") beats it.
    """

    kind: str
    n: int
    own: Figure | None = None
    own_at_5: Figure | None = None
    given: Figure | None = None
    given_at_5: Figure | None = None
    best_part: str = ""
    gap: Figure | None = None
    scored: str = ""


class Labels(msgspec.Struct, frozen=True):
    """The figures of all kinds. `n_labels`: of the manifest; `unknown`: those that the model lacks."""

    n_labels: int
    unknown: list[str]
    rows: list[Accuracy]
    note: str = ""


Hits = dict[str, dict[int, tuple[bool, bool]]]
"""Kind to row to whether the right label is best, and among the best five."""


def score_labels(model: Model, answers: Answers) -> Labels:
    """Score every kind of set over the rows that have a label."""
    wanted = {i: normalise(row.entry.label) for i, row in enumerate(answers.rows) if row.entry.label is not None}
    names = {normalise(row.entry.label): row.entry for row in reversed(answers.rows) if row.entry.label is not None}
    vocabulary: Sequence[str] | None = getattr(model, "labels", None)
    known = None if vocabulary is None else {normalise(label) for label in vocabulary}
    own = _own(answers, {i: label for i, label in wanted.items() if known is None or label in known})
    given, note = _given(model, answers, wanted, [(e.label or "", e.language) for e in names.values()], list(names))
    unknown = [] if known is None else sorted({e.label or "" for name, e in names.items() if name not in known})
    rows = [_accuracy(kind, wanted, answers, own, given) for kind in answers.by_kind]
    return Labels(len(names), unknown, [row for row in rows if row.n], note)


def _own(answers: Answers, wanted: dict[int, str]) -> Hits:
    hits: Hits = {}
    for kind, mine in answers.by_kind.items():
        said = {i: [normalise(label) for label, _ in mine[i].labels[:TOP]] for i in wanted if mine[i] is not None}  # pyright: ignore[reportOptionalMemberAccess]
        hits[kind] = {i: (labels[:1] == [wanted[i]], wanted[i] in labels) for i, labels in said.items()}
    return hits


def _given(
    model: Model, answers: Answers, wanted: dict[int, str], texts: list[tuple[str, str]], names: list[str]
) -> tuple[Hits, str]:
    """Hits among the manifest's labels; none, and why, where the model does not embed them."""
    labels = embed_texts(model, texts)
    if any(vector is None for vector in labels) or len(names) < 2:
        few = "fewer than two labels" if len(names) < 2 else "the model gives no embedding of some label"
        return {kind: {} for kind in answers.by_kind}, f"not scored against the manifest's labels: {few}"
    directions, place = unit([v for v in labels if v is not None]), {name: n for n, name in enumerate(names)}
    hits: Hits = {}
    for kind, mine in answers.by_kind.items():
        has = [i for i in wanted if (answer := mine[i]) is not None and answer.embedding is not None]
        hits[kind] = {}
        if has:
            found: list[Vector] = [mine[i].embedding for i in has]  # pyright: ignore[reportOptionalMemberAccess, reportAssignmentType]
            ranks = ranks_among(unit(found) @ directions.T, np.array([place[wanted[i]] for i in has]))
            hits[kind] = {i: (rank < 1, rank < TOP) for i, rank in zip(has, ranks.tolist(), strict=True)}
    return hits, ""


def _accuracy(kind: str, wanted: dict[int, str], answers: Answers, own: Hits, given: Hits) -> Accuracy:
    n = sum(answers.by_kind[kind][i] is not None for i in wanted)

    def figure(hits: Hits, place: int) -> Figure | None:
        mine = hits[kind]
        return rate([pair[place] for pair in mine.values()], groups=[wanted[i] for i in mine]) if mine else None

    scored, hits = ("own", own) if own[kind] else ("given", given)
    out = Accuracy(kind, n, figure(own, 0), figure(own, 1), figure(given, 0), figure(given, 1), scored=scored)
    parts = [part for part in answers.by_kind if set(part.split("+")) < set(kind.split("+"))]
    rows = [i for i in hits[kind] if all(i in hits[part] for part in parts)]
    if not parts or not rows:
        return out
    best = max(parts, key=lambda part: sum(hits[part][i][0] for i in rows))
    gaps = [int(hits[kind][i][0]) - int(hits[best][i][0]) for i in rows]
    return msgspec.structs.replace(out, best_part=best, gap=rate(gaps, groups=[wanted[i] for i in rows]))
