"""The card says what was measured, and what was measured is what was promised."""

from __future__ import annotations

import pytest

from models.evaluation.protocol import concepts
from models.evaluation.scores.__main__ import read_report
from models.evaluation.scores.answers_found import ScoresReport
from models.evaluation.scores.ask import KINDS
from models.evaluation.scores.tables import (
    BARS,
    ERROR_RATIO_BAR,
    SPECIALIST_BAR,
    ZERO_SHOT_BARS,
    compared_rows,
    error_ratio,
    fusion_rows,
    notes,
    parts,
    zero_shot_rows,
)
from models.folder import WEIGHTS
from models.reference.checkpoint import TOKENIZER, read_manifest
from models.registry import SHIPPED_DIR

FOLDER = SHIPPED_DIR / "reference"


def reports(kind: str = "fusion") -> list[ScoresReport]:
    """What `make evaluate` wrote, a report a seed."""
    return [read_report(path) for path in sorted((FOLDER / "scores").glob(f"{kind}-test-*.json"))]


def test_card_shows_the_report() -> None:
    """Each table of the report is on the card, to the last digit, and so is what is said beside them."""
    card = (FOLDER / "CARD.md").read_text("utf-8")
    made = parts(reports()) | parts(reports("zero-shot"))
    assert [title for title, table in made.items() if table not in card] == []
    assert [line for line in notes(reports()) if line not in card] == []


def test_the_reports_are_of_this_model_on_the_test_split() -> None:
    """Three seeds, of which the shipped one is one, of this version; all kinds are there, over all concepts."""
    manifest = read_manifest(FOLDER)
    assert [found.seed for found in reports()] == [found.seed for found in reports("zero-shot")] == [1, 2, 3]
    assert manifest.training["seed"] in (1, 2, 3)
    for found in reports():
        assert (found.model, found.version, found.split) == (manifest.name, manifest.version, "test")
        assert list(found.outcomes["clean en"]) == list(KINDS)
        assert {len(outcomes) for of in found.outcomes.values() for outcomes in of.values()} == {len(concepts())}


@pytest.mark.parametrize("kind", BARS)
def test_clean_media_are_recognised(kind: str) -> None:
    """Pictures, speech and both together are at least as often right as was promised."""
    rows = {row.what: row.share for row in fusion_rows(reports(), "clean en", all_concepts=True)}
    assert rows[kind] >= BARS[kind]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_fusion_beats_its_best_part(language: str) -> None:
    """Every pair and all three are better than their best part, by more than chance."""
    fused = [row for row in fusion_rows(reports(), f"clean {language}") if "+" in row.what]
    assert len(fused) == 4
    assert all(row.gap_low > 0 for row in fused)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_fusion_helps_where_media_are_bad(language: str) -> None:
    """On degraded media all three err at most 0.7 times as often as the best of them alone."""
    assert error_ratio(reports(), f"degraded {language}")[1] <= ERROR_RATIO_BAR


@pytest.mark.parametrize("section", ["clean en", "clean zh"])
def test_fusion_is_not_below_the_sum(section: str) -> None:
    """No pair, nor all three, is right less often than the sum of what calibrated branches say alone."""
    rows = compared_rows(reports(), section, f"sum {section}", "the sum")
    assert len(rows) == 4
    assert all(row.gap >= 0 for row in rows)


def test_fusion_of_bad_media_is_not_surely_below_the_sum() -> None:
    """Whatever it loses to the sum on degraded media may be chance."""
    rows = compared_rows(reports(), "degraded en", "sum degraded en", "the sum")
    assert len(rows) == 4
    assert all(row.gap_high >= 0 for row in rows)


def test_a_specialist_for_a_pair_is_hardly_better() -> None:
    """The lower end of the interval of what fusion loses to one is above the bar."""
    assert all(len(found.outcomes["specialists"]) == 3 for found in reports())
    rows = compared_rows(reports(), "clean en", "specialists", "its specialist")
    assert [r.what for r in rows] == ["image+text", "image+audio", "text+audio"]
    assert all(r.gap_low >= SPECIALIST_BAR for r in rows)


@pytest.mark.parametrize("query", ZERO_SHOT_BARS)
def test_things_that_nobody_taught_are_found(query: str) -> None:
    """A model that never met 100 concepts finds them among each other, as often as was promised."""
    rows = {row.what: row.share for row in zero_shot_rows(reports("zero-shot"))}
    assert rows[query] >= ZERO_SHOT_BARS[query]


def test_shipped_files_are_small() -> None:
    """Weights stay under 12 MB, and labels are the concepts in their order."""
    assert (FOLDER / WEIGHTS).stat().st_size <= 12_000_000
    assert (FOLDER / TOKENIZER).stat().st_size <= 1_000_000
    assert read_manifest(FOLDER).labels == [c.label for c in concepts()]
