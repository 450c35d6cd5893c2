"""Figures with 95 % intervals, by bootstrap over groups: all lines of one label are drawn together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

N_DRAWS = 10_000


def middle_95(drawn: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The interval that holds the middle 95 % of bootstrap values (n_draws,)."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def interval(right: npt.NDArray[np.bool_ | np.float64], seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of `right` (n_concepts,): hits, or differences of hits.

    The mean depends only on how often each value is drawn, which is multinomial: no concept is drawn one by one.
    """
    values = np.asarray(right, np.float64)
    if not len(values):
        return float("nan"), float("nan")
    unique, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(values), counts / len(values), N_DRAWS)
    return middle_95(drawn @ unique / len(values))


MAX_CELLS = 20_000_000
"""Draws times groups. With more groups fewer draws are made: an interval over many groups needs few."""
MIN_DRAWS, CHUNK = 1_000, 200


class Figure(msgspec.Struct, frozen=True):
    """A share or a rate over `n` lines, with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


def rate(
    counts: npt.ArrayLike, of: npt.ArrayLike | None = None, groups: Sequence[Hashable] | None = None, seed: int = 0
) -> Figure:
    """The sum of `counts` divided by the sum of `of`, with its interval by drawing groups.

    Args:
        counts (npt.ArrayLike): one a line; negative for differences of hits.
        of (npt.ArrayLike | None): one a line. Default: 1 each.
        groups (Sequence[Hashable] | None): one a line; lines of one group are drawn together. Default: each line alone.
        seed (int): of the draws. Default 0.
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
    low, high = middle_95(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-12))
    return Figure(float(above.sum() / below.sum()), low, high, len(above))


def _draw(sums: npt.NDArray[np.float64], dice: np.random.Generator) -> npt.NDArray[np.float64]:
    """Sums over groups drawn with replacement: (n_draws, 2)."""
    n = len(sums)
    n_draws = max(MIN_DRAWS, min(N_DRAWS, MAX_CELLS // n))
    parts = [sums[dice.integers(n, size=(CHUNK, n))].sum(1) for _ in range(n_draws // CHUNK)]
    return np.concatenate(parts)


def ranks_among(likeness: npt.NDArray[Any], right: Sequence[int] | npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """How many wrong answers are as close as the right one, or closer, in each row of `likeness` (n, n_answers).

    `right`: the column of the right answer of each row. A tie counts as wrong: what cannot tell things apart finds
    nothing.
    """
    own = likeness[np.arange(len(likeness)), right]
    return (likeness >= own[:, None]).sum(1) - 1
