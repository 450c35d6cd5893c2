"""The contrastive loss pulls each thing to its own other form."""

from __future__ import annotations

import math

import pytest
import torch

from models.training.contrast import contrast

SHARPNESS = torch.tensor(20.0)


def test_own_partner_is_cheap_and_another_is_dear() -> None:
    """Rows that fit cost nothing, rows that are swapped cost their sharpness."""
    points = torch.eye(4)
    assert contrast(points, points, SHARPNESS) < 1e-6
    assert contrast(points, points.roll(1, 0), SHARPNESS) == pytest.approx(20, abs=0.1)


def test_the_same_thing_twice_is_not_told_apart() -> None:
    """Two clips of one word may lie on one point for nothing, if it is said that they are the same."""
    points = torch.eye(3)[[0, 0, 1]]
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    assert contrast(points, points, SHARPNESS, same) < 1e-6
    assert contrast(points, points, SHARPNESS) > 0.4


def test_others_are_wrong_for_all() -> None:
    """Others that nobody belongs to make it harder, in one of the two ways."""
    points, others = torch.eye(4)[:2], torch.ones(6, 4)
    alone, beside = (contrast(points, theirs, torch.tensor(1.0)) for theirs in (points, torch.cat([points, others])))
    assert math.isfinite(float(beside))
    assert beside > alone


def test_length_does_not_matter() -> None:
    """Directions are compared, whatever their length."""
    torch.manual_seed(0)
    mine, theirs = torch.randn(5, 8), torch.randn(5, 8)
    torch.testing.assert_close(contrast(mine, theirs, SHARPNESS), contrast(mine * 7, theirs * 0.1, SHARPNESS))
