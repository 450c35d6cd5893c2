"""The smallest history that shows a violation: it shows it, nothing can be left out of it, and it is found in time."""

from __future__ import annotations

import time

import pytest

from tests.guarantees import plants_endings, plants_forced, plants_join, plants_results
from tests.guarantees.plants import PLANTS
from tests.support.drafts import Draft
from tests.support.long_history import long_history, settings_of_long
from verify import Violation, check, show, smallest
from verify.history import History
from verify.shrink import only, units_of

MODULES = (plants_endings, plants_forced, plants_join, plants_results)
"""Importing them fills `PLANTS`."""


def planted(name: str) -> tuple[Draft, Violation]:
    """A draft with a violation, and the first one of its kind that the checker finds."""
    plant = PLANTS[name]
    draft = Draft(plant.into)
    plant.plant(draft)
    return draft, next(one for one in draft.check().violations if one.kind == plant.kind)


def n_records(history: History) -> int:
    """How many media records a history has."""
    return sum(len(records) for partition in history.partitions for records in partition.media.values())


def findings(draft: Draft, history: History) -> set[str]:
    """What the checker says of a history."""
    return {str(violation) for violation in check(history, draft.settings, convert=draft.convert).violations}


@pytest.mark.parametrize("name", PLANTS)
def test_it_shows_the_violation_and_no_other(name: str) -> None:
    """The same sentence is found in it, and nothing that is not found in the whole."""
    draft, violation = planted(name)
    part = smallest(draft.history, violation, draft.settings, convert=draft.convert)
    assert str(violation) in findings(draft, part) <= findings(draft, draft.history)
    assert n_records(part) <= 8 < n_records(draft.history)


@pytest.mark.parametrize("name", PLANTS)
def test_nothing_can_be_left_out(name: str) -> None:
    """Without any one of its units the violation is not found, or another one is."""
    draft, violation = planted(name)
    whole = findings(draft, draft.history)
    part = smallest(draft.history, violation, draft.settings, convert=draft.convert)
    (partition,) = part.partitions
    for unit in units_of(partition):
        if set(unit) & set(violation.records):
            continue
        kept = {place for other in units_of(partition) if other != unit for place in other}
        less = only(partition, kept, violation.results)
        found = findings(draft, History(n_partitions=1, partitions=[less], commits=part.commits, sends=part.sends))
        assert not (str(violation) in found <= whole), unit


def test_it_can_be_read() -> None:
    """A line for each record, decision, result, in order; what is void says so."""
    draft, violation = planted("a_void_batch_took_effect")
    lines = show(smallest(draft.history, violation, draft.settings, convert=draft.convert))
    assert [line for line in lines if not line.startswith(" ")] == ["partition 0: records", "decision log", "results"]
    assert sum("@" in line and "key s" in line for line in lines) == 3
    assert sum(", void: set" in line for line in lines) == 1
    assert sum("results.fused@" in line for line in lines) == 2


def test_a_long_history_is_shrunk_in_time() -> None:
    """Out of ten thousand records, well before the time is up."""
    history = long_history(n_moments=3_500, n_streams=8, torn_at=1_700)
    report = check(history, settings_of_long())
    violation = next(one for one in report.violations if one.kind == "wrong decision")
    started_s = time.process_time()  # others on the machine cost no time of this process
    part = smallest(history, violation, settings_of_long(), limit_s=600)
    assert n_records(part) <= 8
    assert time.process_time() - started_s < 55


def test_time_up_gives_what_is_there() -> None:
    """Without time the part is not small, but it shows the violation."""
    history = long_history(n_moments=300, n_streams=2, torn_at=100)
    violation = check(history, settings_of_long()).violations[0]
    part = smallest(history, violation, settings_of_long(), limit_s=0)
    assert str(violation) in {str(one) for one in check(part, settings_of_long()).violations}
