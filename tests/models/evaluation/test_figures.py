"""Figures have the bootstrap's interval, over lines or over groups of lines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.evaluation.figures import interval, rate


def test_a_share_has_the_plain_interval() -> None:
    """Without groups it is the interval of the mean."""
    hits = np.arange(200) % 4 == 0
    figure = rate(hits)
    low, high = interval(hits)
    assert (figure.value, figure.n) == (0.25, 200)
    assert figure.low == pytest.approx(low, abs=0.01)
    assert figure.high == pytest.approx(high, abs=0.01)


def test_lines_of_one_group_stand_together() -> None:
    """Ten times the lines of each thing tell no more of things: the interval is as wide as with one line each."""
    hits = np.arange(60) % 3 == 0
    once = rate(hits)
    tenfold = rate(np.repeat(hits, 10), groups=[str(i) for i in np.repeat(np.arange(60), 10)])
    assert tenfold.n == 600
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.05)
    assert rate(np.repeat(hits, 10)).high - rate(np.repeat(hits, 10)).low < (once.high - once.low) / 2


def test_a_rate_weighs_long_lines_more() -> None:
    """Errors of all over words of all: 3 of 4 and 0 of 96 are 3 %."""
    figure = rate([3, 0], [4, 96])
    assert figure.value == pytest.approx(0.03)
    assert (figure.low, figure.high) == (0.0, 0.75)


def test_nothing_has_no_figure() -> None:
    """No lines: no number, and no crash."""
    assert math.isnan(rate([]).value)
    assert rate([]).n == 0
