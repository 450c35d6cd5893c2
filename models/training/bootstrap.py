"""Intervals of accuracies: which concepts are asked is chance, so the concepts are drawn again and again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

N_DRAWS = 10_000


def interval(
    right: npt.NDArray[np.bool_ | np.float64], seed: int = 0, n_draws: int = N_DRAWS, coverage: float = 0.95
) -> tuple[float, float]:
    """The bootstrap interval of the mean of `right` (n_concepts,): of hits, or of a difference of hits.

    A mean depends only on how often each value is drawn, which is multinomial: no concept is drawn one by one.
    """
    values = np.asarray(right, np.float64)
    if not len(values):
        return float("nan"), float("nan")
    unique, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), n_draws)
    means = drawn @ unique / len(values)
    low, high = np.quantile(means, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)
