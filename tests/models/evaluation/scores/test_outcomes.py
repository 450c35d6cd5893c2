"""Outcomes keep where the right answer stood, and give shares with paired intervals."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.scores.answers_found import ScoresReport, found, mean_found, write
from models.evaluation.scores.tables import beside_parts, row, table


def report(seed: int, **sections: dict[str, str]) -> ScoresReport:
    """A report of made-up outcomes."""
    return ScoresReport("made-up", "1", seed, "test", sections)


def test_ranks_are_kept_to_the_ninth() -> None:
    """Ranks below 10 are kept, later ones and unasked ones are told apart from them."""
    outcomes = write([0, 4, 9, 10, 700, None])
    assert outcomes == "049xx-"
    np.testing.assert_array_equal(found(outcomes), [1, 0, 0, 0, 0, np.nan])
    np.testing.assert_array_equal(found(outcomes, 5), [1, 1, 0, 0, 0, np.nan])
    np.testing.assert_array_equal(found(outcomes, 10), [1, 1, 1, 0, 0, np.nan])


def test_seeds_are_averaged_within_a_concept() -> None:
    """Two seeds of which one is right make a half: three concepts stay three, not six."""
    both = [report(1, clean={"image": "00x"}), report(2, clean={"image": "0x-"})]
    np.testing.assert_array_equal(mean_found(both, "clean", "image"), [1, 0.5, np.nan])


def test_a_gap_is_over_the_concepts_that_both_were_asked_about() -> None:
    """Who lacks in one of the two is in neither's difference; what always is better has an interval above nought."""
    better, worse = found("0" * 40 + "-"), found("x" * 20 + "0" * 20 + "x")
    line = row("fused", better, "alone", worse)
    assert (line.n, line.share, line.gap) == (40, 1.0, 0.5)
    assert 0 < line.gap_low < 0.5 < line.gap_high < 1


def test_equal_systems_are_not_told_apart() -> None:
    """Two that are right about other concepts, but as often, have an interval around nought."""
    line = row("a", found("0x" * 50), "b", found("x0" * 50))
    assert line.gap == 0
    assert line.gap_low < 0 < line.gap_high


def test_each_kind_is_beside_its_best_part() -> None:
    """All three stand beside the best pair, over the concepts that all kinds were asked about."""
    rows = beside_parts({
        "image": found("0xx0"), "text": found("xxx-"), "audio": found("x00x"),
        "image+audio": found("000x"), "image+text+audio": found("000-"),
    })  # fmt: skip
    assert {r.n for r in rows} == {3}
    assert [(r.what, r.beside) for r in rows if r.beside] == [
        ("image+audio", "audio"), ("image+text+audio", "image+audio")
    ]  # fmt: skip
    assert rows[-1].gap == 0
    assert rows[-2].gap == pytest.approx(1 / 3)


def test_tables_have_a_line_each() -> None:
    """A row is a line of Markdown with its share, interval and gap."""
    text = table([row("image+audio", found("00xx"), "audio", found("0xxx"))])
    assert text.splitlines()[0].startswith("| lanes | concepts | top-1 |")
    assert "| image+audio | 4 | 0.500 | " in text
    assert "| audio | +0.250 (" in text
