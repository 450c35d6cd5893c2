"""Outcomes: the rank of the right answer for each concept, as a string."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

N_RANKS = 10
BEYOND, NOT_ASKED = "x", "-"

Outcomes = str
"""A character a concept: the rank of the right answer, 0 to 9; x for later or never; - for not asked."""

Found = npt.NDArray[np.float64]
"""(n_concepts,): 1 found, 0 not found, NaN not asked; in between where seeds are averaged."""


class ScoresReport(msgspec.Struct, frozen=True):
    """What one model answered to the protocol.

    Attributes:
        outcomes (dict[str, dict[str, Outcomes]]): section to kind of question to outcomes.
        n_among (dict[str, dict[str, int]]): section to kind to how many answers there were to choose from, where not
            all concepts.
    """

    model: str
    version: str
    seed: int
    split: str
    outcomes: dict[str, dict[str, Outcomes]]
    n_among: dict[str, dict[str, int]] = {}


def write(ranks: Sequence[int | None]) -> Outcomes:
    """Write ranks from 0 as outcomes; None: not asked.

    Example:
        >>> write([0, 12, None])
        '0x-'
    """
    return "".join(NOT_ASKED if r is None else str(r) if r < N_RANKS else BEYOND for r in ranks)


def found(outcomes: Outcomes, first: int = 1) -> Found:
    """Whether the right answer was among the `first` best.

    Example:
        >>> found("02x-", 3).tolist()
        [1.0, 1.0, 0.0, nan]
    """
    at = {NOT_ASKED: np.nan, BEYOND: 0.0} | {str(r): float(r < first) for r in range(N_RANKS)}
    return np.array([at[character] for character in outcomes])


def mean_found(reports: Sequence[ScoresReport], section: str, kind: str, first: int = 1) -> Found:
    """The same, averaged over seeds within each concept."""
    return np.stack([found(report.outcomes[section][kind], first) for report in reports]).mean(0)
