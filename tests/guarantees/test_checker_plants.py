"""A violation of each kind, planted into a clean history, is found and called by its name."""

from __future__ import annotations

import pytest

from streams.verify import KINDS
from tests.guarantees import plants_endings, plants_forced, plants_join, plants_results
from tests.guarantees.plants import PLANTS
from tests.support.drafts import SETTINGS, Draft

MODULES = (plants_endings, plants_forced, plants_join, plants_results)
"""Importing them fills `PLANTS`."""


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_the_histories_are_clean(kind: str, seed: int) -> None:
    """Before anything is planted nothing is wrong."""
    assert Draft(kind, seed).check().violations == []


def test_every_kind_is_planted() -> None:
    """A kind that no plant shows could never be found."""
    assert {plant.kind for plant in PLANTS.values()} == set(KINDS)


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found(name: str) -> None:
    """Its kind is reported, and no kind that does not follow from it."""
    plant = PLANTS[name]
    draft = Draft(plant.into)
    plant.plant(draft)
    report = draft.check()
    assert plant.kind in report.n_by_kind, report.violations
    assert set(report.n_by_kind) <= {plant.kind} | plant.also, report.violations
