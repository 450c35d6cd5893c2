"""A violation of each kind, planted into a clean history, is found and called by its name."""

from __future__ import annotations

import msgspec
import pytest

from streams.join.items import FailedDecision
from syncline.wire.contract import CONVERTED_TEXT, DEADLETTER, FUSED
from syncline.wire.ids import conversion_id
from tests.guarantees import (
    plants_conversions,
    plants_endings,
    plants_forced,
    plants_join,
    plants_results,
    plants_transactions,
)
from tests.guarantees.plants import PLANTS
from tests.guarantees.plants_conversions import audio_of, converted, sent_again, transcribe
from tests.support.drafts import SETTINGS, Draft, places_of
from verify import KINDS
from verify.history import Published, PublishedConversion, Single

MODULES = (plants_conversions, plants_endings, plants_forced, plants_join, plants_results, plants_transactions)
"""Importing them fills `PLANTS`."""
MAY_COME = ("no outcome", "no conversion")
"""What may still come while the system runs."""


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


@pytest.mark.parametrize("name", [name for name, plant in PLANTS.items() if plant.kind not in MAY_COME])
def test_what_is_planted_is_found_while_the_system_runs(name: str) -> None:
    """All but what may still come."""
    plant = PLANTS[name]
    draft = Draft(plant.into)
    plant.plant(draft)
    found = draft.check(finished=False).n_by_kind
    assert plant.kind in found
    assert set(found) <= {plant.kind} | plant.also


def test_a_failed_set_whose_result_was_out_has_one_outcome() -> None:
    """The fused result wins over the dead letters of the same set."""
    draft = Draft("earliest")
    decision = draft.sets()[2]
    draft.append(FailedDecision(tuple(places_of(decision)), "model_failed"))
    for topic, offset in places_of(decision):
        draft.publish(DEADLETTER, Single(0, f"{topic}/0/{offset}", topic, 0, offset, "model_failed"))
    assert draft.check().violations == []


def test_a_failed_set_without_result_needs_all_its_dead_letters() -> None:
    """The dead letter of one member is missing: that member has no outcome."""
    draft = Draft("earliest")
    decision = draft.sets()[2]
    result = draft.fused_of(decision)
    draft.history.commits.clear()
    draft.change_results(FUSED, lambda record: None if record == result else record)
    draft.append(FailedDecision(tuple(places_of(decision)), "model_failed"))
    *some, last = places_of(decision)
    for topic, offset in some:
        draft.publish(DEADLETTER, Single(0, f"{topic}/0/{offset}", topic, 0, offset, "model_failed"))
    report = draft.check()
    assert [violation.records for violation in report.violations] == [(last,)]
    assert report.n_by_kind == {"no outcome": 1}


@pytest.mark.parametrize("named", [False, True])
def test_a_conversion_of_a_member_is_fine(named: bool) -> None:
    """Its id follows from the member; it may name the set, and a repeat is the same."""
    draft = Draft("earliest")
    item, set_id = audio_of(draft)
    for _ in range(2):
        draft.publish(CONVERTED_TEXT, converted(draft, item, set_id=set_id if named else ""))
    report = draft.check()
    assert report.violations == []
    assert report.counts["repeats"][CONVERTED_TEXT] == 1


def test_an_event_that_is_sent_again_too_late_is_converted_again() -> None:
    """Each conversion has an id of its own; workers of before gave events in no set one without their places."""
    for old in (False, True):
        draft = Draft("earliest")
        transcribe(draft)
        again = sent_again(draft, audio_of(draft, 0)[0])
        draft.append(again)
        draft.history.commits.clear()
        for topic, record in draft.outputs_of(again):
            draft.publish(topic, record)
        draft.publish(CONVERTED_TEXT, converted(draft, again.item)) if not old else None
        draft.change_results(CONVERTED_TEXT, lambda one, old=old: _as_before(one) if old else one)
        report = draft.check(finished=not old)
        assert report.violations == []
        assert "repeats" not in report.counts


def _as_before(one: Published) -> Published:
    if not isinstance(one, PublishedConversion):
        return one
    name = conversion_id(one.stream, one.lane, one.time_ms, one.source, one.event_id, one.kind)
    return msgspec.structs.replace(one, id=name)


@pytest.mark.parametrize("kind", SETTINGS)
def test_where_all_is_converted_nothing_is_wrong(kind: str) -> None:
    """Sets and unfused events alike; dead letters and duplicates are not converted."""
    draft = Draft(kind)
    transcribe(draft)
    report = draft.check()
    assert report.violations == []
    assert report.counts["conversions"]["transcript"] > 5
