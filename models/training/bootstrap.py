"""Intervals of accuracies: which concepts are asked is chance, so the concepts are drawn again and again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

N_DRAWS = 10_000


def interval(
    right: npt.NDArray[np.bool_ | np.float64], seed: int = 0, n_draws: int = N_DRAWS, coverage: float = 0.95
) -> tuple[float, float]:
    """The bootstrap interval of the mean of `right` (n_concepts,): of hits, or of a difference of hits."""
    values = np.asarray(right, np.float64)
    if not len(values):
        return float("nan"), float("nan")
    dice = np.random.default_rng(seed)
    means = np.empty(n_draws)
    for i in range(n_draws):
        means[i] = values[dice.integers(len(values), size=len(values))].mean()
    low, high = np.quantile(means, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)
