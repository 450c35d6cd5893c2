"""How far down the right answer stood, for each concept, as a string: what is written, averaged and compared."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

N_RANKS = 10
BEYOND, NOT_ASKED = "x", "-"

Outcomes = str
"""A character for each concept: 0 where the right answer was the first, to 9; x for later or never; - not asked."""

Found = npt.NDArray[np.float64]
"""(n_concepts,): 1 found, 0 not, NaN not asked; between, where seeds are averaged."""


class ScoresReport(msgspec.Struct, frozen=True):
    """What one model answered to the protocol: section -> kind of question -> outcomes.

    n_among: section -> of how many the right one was found, where that is not all concepts.
    """

    model: str
    version: str
    seed: int
    split: str
    outcomes: dict[str, dict[str, Outcomes]]
    n_among: dict[str, dict[str, int]] = {}


def write(ranks: Sequence[int | None]) -> Outcomes:
    """Ranks from 0 (None: not asked; N_RANKS or more: not found) to a string."""
    return "".join(NOT_ASKED if r is None else str(r) if r < N_RANKS else BEYOND for r in ranks)


def found(outcomes: Outcomes, first: int = 1) -> Found:
    """Whether the right answer was among the `first` best."""
    at = {NOT_ASKED: np.nan, BEYOND: 0.0} | {str(r): float(r < first) for r in range(N_RANKS)}
    return np.array([at[character] for character in outcomes])


def mean_found(reports: Sequence[ScoresReport], section: str, kind: str, first: int = 1) -> Found:
    """The same, averaged over seeds within each concept."""
    return np.stack([found(report.outcomes[section][kind], first) for report in reports]).mean(0)
