"""Tables come onto a card by a command, and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.evaluation.scores.__main__ import main
from models.evaluation.scores.tables import BEGIN, END
from models.registry import SHIPPED_DIR

SCORES = SHIPPED_DIR / "reference" / "scores"


def test_tables_are_written_between_the_marks(tmp_path: Path) -> None:
    """What is around them stays; written twice, the card is the same."""
    card = tmp_path / "CARD.md"
    card.write_text(f"Before.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    command = ["--read", *map(str, sorted(SCORES.glob("fusion-*.json"))), "--card", str(card)]
    assert main(command) == 0
    once = card.read_text()
    assert main(command) == 0
    assert card.read_text() == once
    assert once.startswith(f"Before.\n\n{BEGIN}\n\n### Clean, all concepts\n\n| lanes |")
    assert once.endswith(f"{END}\n\nAfter.\n")
    assert "old" not in once


def test_a_card_without_marks_is_refused_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong file is not written to."""
    card = tmp_path / "notes.md"
    card.write_text("mine")
    assert main(["--read", str(SCORES / "fusion-test-1.json"), "--card", str(card)]) == 2
    assert card.read_text() == "mine"
    assert "a file with the lines <!-- tables" in capsys.readouterr().err
