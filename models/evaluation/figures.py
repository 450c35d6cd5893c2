"""Figures with their 95 % intervals, by bootstrap over things (all lines of one label stand or fall together)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec
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


MAX_CELLS = 20_000_000
"""Draws times things; beyond it fewer draws are taken: with many things an interval needs few."""
MIN_DRAWS, CHUNK = 1_000, 200


class Figure(msgspec.Struct, frozen=True):
    """A share or a rate over `n` lines, and its interval."""

    value: float
    low: float
    high: float
    n: int


def rate(
    counts: npt.ArrayLike, of: npt.ArrayLike | None = None, groups: Sequence[Hashable] | None = None, seed: int = 0
) -> Figure:
    """Sum of counts over sum of `of` (default: how many there are), its interval by drawing groups anew.

    counts, of, groups: one a line. groups: what is drawn as one; default each line by itself. Counts may be negative
    (a difference of hits): pairs stay together.
    """
    above = np.asarray(counts, np.float64)
    below = np.ones(len(above)) if of is None else np.asarray(of, np.float64)
    if not len(above):
        return Figure(float("nan"), float("nan"), float("nan"), 0)
    numbers = {group: n for n, group in enumerate(dict.fromkeys(groups or range(len(above))))}
    index = np.array([numbers[group] for group in (groups or range(len(above)))])
    sums = np.zeros((len(numbers), 2))  # [n_groups, 2]
    np.add.at(sums, index, np.stack([above, below], 1))
    drawn = _draw(sums, np.random.default_rng(seed))
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-12), [0.025, 0.975])
    return Figure(float(above.sum() / below.sum()), float(low), float(high), len(above))


def _draw(sums: npt.NDArray[np.float64], dice: np.random.Generator) -> npt.NDArray[np.float64]:
    """Sums over groups drawn with replacement: (n_draws, 2)."""
    n = len(sums)
    n_draws = max(MIN_DRAWS, min(N_DRAWS, MAX_CELLS // n))
    parts = [sums[dice.integers(n, size=(CHUNK, n))].sum(1) for _ in range(n_draws // CHUNK)]
    return np.concatenate(parts)
