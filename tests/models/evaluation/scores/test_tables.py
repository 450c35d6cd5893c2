"""Reports become tables, of one seed or of several."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from models.evaluation.scores.__main__ import main, read_report, write_report
from models.evaluation.scores.answers_found import ScoresReport
from models.evaluation.scores.ask import KINDS
from models.evaluation.scores.tables import compared_rows, error_ratio, parts
from syncline.errors import SettingsError

CONDITIONS = ("clean", "degraded", "typos", "conflicting")
HITS = {
    "image": "0x" * 10, "text": "x" * 20, "audio": "00xx" * 5, "image+text": "0x" * 10, "image+audio": "000x" * 5,
    "text+audio": "00xx" * 5, "image+text+audio": "000x" * 5,
}  # fmt: skip


def report(seed: int = 1) -> ScoresReport:
    """All sections of a protocol over 20 made-up concepts."""
    sections = [
        f"{kind} {language}" for kind in ("clean", "degraded", "typos", "conflicting") for language in ("en", "zh")
    ]
    outcomes = dict.fromkeys(sections, HITS)
    outcomes["sum clean en"] = {"image+audio": "0xxx" * 5}
    outcomes["find label en"] = {"image to text": "05x-" * 5}
    return ScoresReport("made-up", "1", seed, "test", outcomes, {"find label en": {"image to text": 17}})


def test_each_section_is_a_table() -> None:
    """What was asked is shown, what was not is not."""
    made = parts([report()])
    assert {"Clean, all concepts", "Clean, English", "Degraded, Chinese", "Typos, English"} <= made.keys()
    assert "Zero-shot, among 100 concepts" not in made
    assert all(f"| {kind} |" in made["Clean, English"] for kind in KINDS)
    assert "| image to text | 15 | 17 | 0.333 |" in made["Retrieval, text is the label in English"]


def test_what_is_beside_the_fusion_is_paired() -> None:
    """The fusion is compared with the sum in the kinds that both have."""
    (row,) = compared_rows([report(), report(2)], "clean en", "sum clean en", "the sum")
    assert (row.what, row.beside, row.share, row.gap) == ("image+audio", "the sum", 0.75, 0.5)
    assert row.gap_low > 0


def test_what_some_seeds_lack_is_compared_for_those_that_have_it() -> None:
    """Specialists are trained for one seed: the others' answers are no part of that comparison."""
    other = msgspec.structs.replace(report(2), outcomes={"clean en": dict.fromkeys(HITS, "x" * 20)})
    (row,) = compared_rows([other, report(1)], "clean en", "sum clean en", "the sum")
    assert (row.share, row.gap) == (0.75, 0.5)
    assert compared_rows([other], "clean en", "sum clean en", "the sum") == []


def test_seeds_stand_side_by_side() -> None:
    """What the mean hides: how far the trainings are apart."""
    other = msgspec.structs.replace(
        report(2), outcomes={**report().outcomes, "clean en": dict.fromkeys(HITS, "x0" * 10)}
    )
    made = parts([report(), other])["Each seed: clean, English"]
    assert "| lanes | seed 1 | seed 2 |" in made
    assert "| image+audio | 0.750 | 0.500 |" in made
    assert not [title for title in parts([report()]) if title.startswith("Each seed")]


def test_error_is_a_share_of_the_best_lanes() -> None:
    """All three err in a quarter, pictures and speech in half: 0.5 times as often."""
    assert error_ratio([report()], "degraded en") == ("image", pytest.approx(0.5))


def test_tables_are_made_again_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was written is read; the tables of two seeds say so."""
    paths = [tmp_path / "scores" / f"{seed}.json" for seed in (1, 2)]
    for seed, path in enumerate(paths, 1):
        write_report(report(seed), path)
    assert read_report(paths[1]) == report(2)
    assert main(["--read", *map(str, paths)]) == 0
    printed = capsys.readouterr().out
    assert "# made-up 1 on test, seed 1, 2" in printed
    assert "degraded, all three err 0.50 times as often as image" in printed


def test_a_broken_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is none of ours is refused with its name and exit code 2."""
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(SettingsError, match=r"other\.json"):
        read_report(path)
    assert main(["--read", str(path)]) == 2
    assert "other.json" in capsys.readouterr().err
