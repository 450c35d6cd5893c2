"""`make train-all` is a list of commands, each of which says when it is done."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models import train_all as everything


def test_each_seed_has_a_model_a_zero_shot_sibling_and_specialists() -> None:
    """Three seeds, in folders of their own; what takes one core is trained beside the voice, after the rest."""
    stages = everything.stages(Path("runs"), [1, 2, 3])
    assert [[[name for name, _, _ in line] for line in lines] for lines in stages] == [
        [["seed-1", "held-out-1", "seed-2", "held-out-2", "seed-3", "held-out-3"]],
        [["synthesis"], ["specialists-1", "specialists-2", "specialists-3"]],
    ]
    parts = [part for lines in stages for line in lines for part in line]
    assert len({done for _, done, _ in parts}) == 10
    assert [name for name, _, command in parts if "--held-out" in command] == ["held-out-1", "held-out-2", "held-out-3"]


def test_what_is_done_is_left_alone_and_what_fails_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part whose file is there is not run; one that fails ends it with its exit code; times are kept."""
    (tmp_path / "there").touch()
    commands = [("old", "there", "raise SystemExit(9)"), ("new", "no", "pass"), ("bad", "no", "raise SystemExit(3)")]
    made = [(name, tmp_path / done, [sys.executable, "-c", code]) for name, done, code in commands]
    never = ("never", tmp_path / "no", [sys.executable, "-c", "raise SystemExit(4)"])
    monkeypatch.setattr(everything, "stages", lambda *_: [[made], [[never]]])
    monkeypatch.setattr(sys, "argv", ["everything", "--runs", str(tmp_path)])
    assert everything.main() == 3
    said = capsys.readouterr().err
    assert "old: is there" in said
    assert "bad: failed with exit code 3" in said
    assert "never" not in said
    assert (tmp_path / "times.jsonl").read_text().count('"new"') == 1


def test_lines_of_a_stage_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts, of which each ends when the other has begun."""
    waits = "import sys, pathlib as p\np.Path(sys.argv[1]).touch()\nwhile not p.Path(sys.argv[2]).exists(): pass"
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    lines = [[("part", tmp_path / "no", [sys.executable, "-c", waits, *at])] for at in ((one, other), (other, one))]
    monkeypatch.setattr(everything, "stages", lambda *_: [lines])
    monkeypatch.setattr(sys, "argv", ["everything", "--runs", str(tmp_path)])
    assert everything.main() == 0
