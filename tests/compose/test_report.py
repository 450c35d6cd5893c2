"""A run is told step by step, and held only where all of it did."""

from __future__ import annotations

from tests.compose.report import Report, Step, line, table

HELD = Step(what="stop", must="all end with 0", seen="6 of 6", held=True, took_s=3.4, load=7.8)
FAILED = Step(what="start", must="5 healthy", seen="4", held=False)


def test_a_run_holds_if_every_step_does() -> None:
    """And one without steps has shown nothing."""

    def held(*steps: Step) -> bool:
        return Report(engine="", base_images="", steps=steps).held

    assert held(HELD, HELD)
    assert not held(HELD, FAILED)
    assert not held()


def test_the_table_names_what_must_hold_and_what_was_seen() -> None:
    """A row a step; what failed stands out."""
    head, rule, held, failed = table([HELD, FAILED]).splitlines()
    assert held == "| stop | all end with 0 | 6 of 6 | 3 | 8 | held |"
    assert failed == "| start | 5 healthy | 4 | 0 | 0 | **FAILED** |"
    assert head.count("|") == rule.count("|") == held.count("|")


def test_a_step_is_told_as_it_ends() -> None:
    """With the same words."""
    for step in (HELD, FAILED):
        told = line(step)
        assert all(words in told for words in (step.what, step.must, step.seen, "held" if step.held else "FAILED"))
