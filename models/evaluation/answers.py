"""A model's answers to each row of a manifest, by each lane, pair and all three."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from models.evaluation.manifest import LANES, BrokenMedia, EvaluationRow, batches, broken_of, prepare_rows
from models.interface import Fusion, Member, Model, Prepared
from syncline.errors import MediaError

BATCH = 32
GIVEN = "as given"
"""The kind of set with all that a row has; used only where rows differ in their lanes."""

Vector = np.ndarray[Any, Any]


class Answers(msgspec.Struct):
    """The answer by kind of set (`image`, `image+text`, ...) and row; None where a lane is missing or broken."""

    rows: list[EvaluationRow]
    by_kind: dict[str, list[Fusion | None]]
    broken: list[BrokenMedia]

    def of(self, rows: Sequence[int]) -> Answers:
        """The answers to some rows."""
        some = {kind: [mine[i] for i in rows] for kind, mine in self.by_kind.items()}
        return Answers([self.rows[i] for i in rows], some, self.broken)


def ask(model: Model, rows: Sequence[EvaluationRow], folder: Path, advance: Callable[[int], None]) -> Answers:
    """Prepare the media of every row, and ask the model about every kind of set."""
    kinds = kinds_of(rows)
    out = Answers(list(rows), {kind: [] for kind in kinds}, [])
    for batch in batches(rows, BATCH):
        prepared = prepare_rows(batch, LANES, folder, model.prepare)
        out.broken += broken_of(prepared)
        for kind in kinds:
            sets = [_members(kind, row, media) for row, media in zip(batch, prepared, strict=True)]
            asked = [members for members in sets if members]
            answers = iter(model.run(asked) if asked else [])
            out.by_kind[kind] += [next(answers) if members else None for members in sets]
        advance(len(out.by_kind[kinds[0]]))
    return out


def kinds_of(rows: Sequence[EvaluationRow]) -> list[str]:
    """The kinds of sets that any row can make, smallest first; `GIVEN` last, where rows differ in their lanes."""
    has = [set(row.entry.lanes()) for row in rows]
    every = ["+".join(lanes) for n in (1, 2, 3) for lanes in combinations(LANES, n)]
    kinds = [kind for kind in every if any(set(kind.split("+")) <= lanes for lanes in has)]
    return kinds if len({frozenset(lanes) for lanes in has}) == 1 else [*kinds, GIVEN]


def _members(kind: str, row: EvaluationRow, media: dict[str, Prepared | BrokenMedia]) -> list[Member]:
    """The members of a set; none where a lane of the kind is missing or broken."""
    lanes = row.entry.lanes() if kind == GIVEN else kind.split("+")
    found = [(lane, media.get(lane)) for lane in lanes]
    members = [Member(lane, lane, item) for lane, item in found if isinstance(item, Prepared)]
    return members if len(members) == len(lanes) or kind == GIVEN else []


def embed_texts(model: Model, texts: Sequence[tuple[str, str]]) -> list[Vector | None]:
    """Embed each (text, language); None where the model gives no embedding or refuses the text."""
    out: list[Vector | None] = []
    for batch in batches(texts, BATCH):
        sets: list[list[Member]] = []
        for text, language in batch:
            try:
                prepared = model.prepare("text", text.encode(), "text/plain", language or None)
                sets.append([Member("text", "text", prepared)])
            except MediaError:
                sets.append([])
        answers = iter(model.run([members for members in sets if members]))
        out += [next(answers).embedding if members else None for members in sets]
    return out


def unit(vectors: Sequence[Vector]) -> Vector:
    """Stack vectors and normalise each: float64 (n, n_embedding)."""
    stacked = np.stack(vectors).astype(np.float64)
    return stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)
