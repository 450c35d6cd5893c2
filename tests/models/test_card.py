"""The card says what was measured, and what was measured is what was promised."""

from __future__ import annotations

import msgspec
import pytest

from models.protocol import concepts, styles, texts, voices
from models.reference.checkpoint import TOKENIZER, WEIGHTS, read_manifest
from models.registry import SHIPPED_DIR
from models.training.evaluate import KINDS, Report, table

FOLDER = SHIPPED_DIR / "reference"
REPORTS = {"test-en": ["with_text", "all_concepts"], "test-zh": ["with_text"], "validation-en": ["with_text"]}


def report(name: str) -> Report:
    """A report that `syncline model evaluate --out` wrote."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=Report)


@pytest.mark.parametrize("name", REPORTS)
def test_card_shows_the_reports(name: str) -> None:
    """Each table of the card is that of its report, to the last digit."""
    card = (FOLDER / "CARD.md").read_text("utf-8")
    for part in REPORTS[name]:
        assert table(getattr(report(name), part)) in card


@pytest.mark.parametrize("name", ["test-en", "test-zh"])
def test_reports_are_of_this_model_on_the_test_split(name: str) -> None:
    """The version is the shipped one, style and voice are those of the test split, all kinds are there."""
    found, manifest = report(name), read_manifest(FOLDER)
    assert (found.model, found.version) == (manifest.name, manifest.version)
    assert ({found.style}, {found.voice}) == (set(styles("test")), set(voices("test")))
    assert [row.kind for row in found.with_text] == list(KINDS)
    assert found.with_text[0].n_concepts == len(getattr(texts(), found.language))
    assert found.all_concepts[0].n_concepts == len(concepts())


@pytest.mark.parametrize("name", ["test-en", "test-zh"])
def test_every_fusion_beats_its_best_part(name: str) -> None:
    """Every pair and all three are better than their best part, by more than chance."""
    fused = [row for row in report(name).with_text if "+" in row.kind]
    assert len(fused) == 4
    assert all(row.gap_low > 0 for row in fused)


def test_shipped_files_are_small() -> None:
    """Weights stay under 12 MB, and labels are the concepts in their order."""
    assert (FOLDER / WEIGHTS).stat().st_size <= 12_000_000
    assert (FOLDER / TOKENIZER).stat().st_size <= 1_000_000
    assert read_manifest(FOLDER).labels == [c.label for c in concepts()]
