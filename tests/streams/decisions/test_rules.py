"""What each rule of the decision log is for: with it its case goes well, without it the same case does not."""

from __future__ import annotations

import pytest

from tests.support.broken_rules import BREAKS
from tests.support.rule_cases import CASES


def test_every_rule_has_a_case() -> None:
    """A rule that nothing shows to be needed would be one too many."""
    assert CASES.keys() == BREAKS.keys()


@pytest.mark.parametrize("name", BREAKS)
def test_the_case_goes_well_with_the_rule_and_fails_without(name: str) -> None:
    """With the service as it is, and with this one rule broken from outside."""
    assert CASES[name](None)
    assert not CASES[name](name)
