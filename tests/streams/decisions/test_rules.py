"""What each rule of the decision log is for: with it its case goes well, without it the same case does not."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from streams.decisions.rules import ALL_RULES, Rules
from tests.support.rule_cases import CASES

NAMES = [field.name for field in fields(Rules)]


def test_every_rule_has_a_case() -> None:
    """A rule that nothing shows to be needed would be one too many."""
    assert set(CASES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_case_goes_well_with_the_rule_and_fails_without(name: str) -> None:
    """All rules are on but for one."""
    assert CASES[name](ALL_RULES)
    assert not CASES[name](replace(ALL_RULES, **{name: False}))
