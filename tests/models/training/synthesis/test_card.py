"""The voice's card says what was measured, and what was measured is what was promised."""

from __future__ import annotations

import msgspec

from models.evaluation.protocol import sentences
from models.synthesis.checkpoint import read_manifest
from models.synthesis.converter import SHIPPED_DIR
from models.training.synthesis.corpus import TESTS
from models.training.synthesis.evaluate import BARS, VoiceReport, as_text


def report() -> VoiceReport:
    """What `evaluate --out` wrote."""
    return msgspec.json.decode((SHIPPED_DIR / "test.json").read_bytes(), type=VoiceReport)


def test_card_shows_the_report() -> None:
    """Every line of the table stands on the card."""
    card = (SHIPPED_DIR / "CARD.md").read_text("utf-8")
    assert all(line.rstrip() in card for line in as_text(report()).splitlines())


def test_report_is_of_this_voice_on_the_test_sets() -> None:
    """Name and version are the shipped ones; both sets, five speakers, every sentence."""
    found, manifest = report(), read_manifest(SHIPPED_DIR)
    assert (found.model, found.version) == (manifest.name, manifest.version)
    assert {score.split for score in found.scores} == set(TESTS)
    assert len(found.scores) == 5 * len(TESTS)
    assert all(len(score.errors) == len(getattr(sentences(), score.split)) for score in found.scores)


def test_bars_are_reached() -> None:
    """Student from text and with the teacher's phones, on both sets, and fast enough."""
    assert report().passes()
    assert sum(score.speaker in BARS for score in report().scores) == 2 * len(TESTS)
