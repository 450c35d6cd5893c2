"""The task `retrieval`: by one lane of a row, find its other lanes among those of all rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import permutations

import msgspec
import numpy as np

from models.evaluation.answers import Answers, Vector, unit
from models.evaluation.error_rates import normalise
from models.evaluation.figures import Figure, rate
from models.evaluation.manifest import LANES, EvaluationEntry

CUTS = (1, 5, 10)
CHUNK = 512


class Direction(msgspec.Struct, frozen=True):
    """From one lane to another, over `n` rows with both: how often a right one is among the first 1, 5, 10."""

    query: str
    target: str
    n: int
    recall_at_1: Figure
    recall_at_5: Figure
    recall_at_10: Figure


def score_retrieval(answers: Answers) -> list[Direction]:
    """Score all directions that at least two rows have.

    Right are the row itself and all rows of the same label; without a label, all rows of the same text. A tie with
    the closest right one counts as before it.
    """
    out: list[Direction] = []
    for query, target in permutations(LANES, 2):
        n = len(answers.rows)
        has = [i for i in range(n) if _has(answers, query, i) and _has(answers, target, i)]
        if len(has) < 2:
            continue
        groups = [_thing(answers.rows[i].entry, i) for i in has]
        queries, targets = (unit([_embedding(answers, lane, i) for i in has]) for lane in (query, target))
        ranks = _ranks(queries, targets, groups)
        figures = [rate(ranks < cut, groups=groups) for cut in CUTS]
        out.append(Direction(query, target, len(has), *figures))
    return out


def _has(answers: Answers, lane: str, row: int) -> bool:
    answer = answers.by_kind[lane][row] if lane in answers.by_kind else None
    return answer is not None and answer.embedding is not None


def _embedding(answers: Answers, lane: str, row: int) -> Vector:
    answer = answers.by_kind[lane][row]
    if answer is None or answer.embedding is None:
        raise LookupError(f"row {row} has no embedding of {lane}")
    return answer.embedding


def _thing(entry: EvaluationEntry, row: int) -> Hashable:
    """The key that rows share which are right for each other."""
    if entry.label is not None:
        return "label", normalise(entry.label)
    return ("row", row) if entry.text is None else ("text", normalise(entry.text) or entry.text)


def _ranks(queries: Vector, targets: Vector, groups: Sequence[Hashable]) -> Vector:
    """How many wrong targets come before the first right one, for each query (n,)."""
    numbers = {group: n for n, group in enumerate(dict.fromkeys(groups))}
    thing = np.array([numbers[group] for group in groups])
    ranks = np.empty(len(queries), np.int64)
    for at in range(0, len(queries), CHUNK):
        likeness = queries[at : at + CHUNK] @ targets.T
        right = thing[at : at + CHUNK, None] == thing
        closest = np.where(right, likeness, -np.inf).max(1, keepdims=True)
        ranks[at : at + CHUNK] = (~right & (likeness >= closest)).sum(1)
    return ranks
