"""Intervals of accuracies are as wide as chance makes them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.evaluation.figures import interval


def test_interval_is_that_of_the_normal_law() -> None:
    """For 400 answers, half of them right, the interval is 0.5 +- 1.96 * sqrt(0.25 / 400)."""
    right = np.arange(400) % 2 == 0
    low, high = interval(right)
    assert low == pytest.approx(0.451, abs=0.004)
    assert high == pytest.approx(0.549, abs=0.004)


def test_more_concepts_make_it_narrower() -> None:
    """Four times the concepts, half the width."""
    widths = [np.subtract(*interval(np.arange(n) % 4 == 0)[::-1]) for n in (100, 400)]
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.1)


def test_all_right_is_certain() -> None:
    """Where nothing varies there is no width."""
    assert interval(np.ones(50, bool)) == (1.0, 1.0)


def test_one_seed_one_interval() -> None:
    """The same seed gives the same interval, another one nearly the same."""
    right = np.arange(300) % 3 == 0
    assert interval(right, seed=1) == interval(right, seed=1)
    assert interval(right, seed=1)[0] == pytest.approx(interval(right, seed=2)[0], abs=0.005)


def test_differences_keep_their_pairs() -> None:
    """Hits that differ in the same concepts have a narrow gap, whatever the hits' own width."""
    a = np.arange(400) % 2 == 0
    b = a.copy()
    b[:8] = True
    low, high = interval(b.astype(float) - a)
    assert 0 < low < 0.01 < high < 0.03


def test_nothing_has_no_interval() -> None:
    """No concepts, no interval, and no crash."""
    assert all(math.isnan(end) for end in interval(np.array([], bool)))
