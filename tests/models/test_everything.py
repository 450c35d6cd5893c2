"""`make train-all` is a list of commands, each of which says when it is done."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.training import everything


def test_each_seed_has_a_model_and_a_zero_shot_sibling() -> None:
    """Three seeds, two models each, in folders of their own, the specialists of the first, and the voice."""
    parts = everything.parts(Path("runs"), [1, 2, 3])
    assert [name for name, _, _ in parts] == [
        "seed-1", "held-out-1", "seed-2", "held-out-2", "seed-3", "held-out-3", "specialists",
        "synthesis",
    ]  # fmt: skip
    assert len({done for _, done, _ in parts}) == 8
    assert [("--held-out" in command) for _, _, command in parts] == [False, True] * 3 + [False, False]


def test_what_is_done_is_left_alone_and_what_fails_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part whose file is there is not run; the first that fails ends it with its own exit code; times are kept."""
    (tmp_path / "there").touch()
    commands = [("old", "there", "raise SystemExit(9)"), ("new", "no", "pass"), ("bad", "no", "raise SystemExit(3)")]
    made = [(name, tmp_path / done, [sys.executable, "-c", code]) for name, done, code in commands]
    monkeypatch.setattr(everything, "parts", lambda *_: made)
    monkeypatch.setattr(sys, "argv", ["everything", "--runs", str(tmp_path)])
    assert everything.main() == 3
    said = capsys.readouterr().err
    assert "old: is there" in said
    assert "bad: failed with exit code 3" in said
    assert (tmp_path / "times.jsonl").read_text().count('"new"') == 1
