"""Evaluation counts what a model finds, and compares each kind of set with its best part over the same concepts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from models.evaluation.scores.ask import KINDS
from models.evaluation.scores.on_split import SplitReport, as_text, evaluate, hits, read_media
from models.evaluation.scores.tables import ScoreRow
from models.interface import Fusion, Member, Model, Prepared
from syncline.errors import SettingsError
from tests.support.tiny_corpus import N_CONCEPTS, tiny_concepts

ABOUT = {"split": "test", "style": "s", "voice": "v", "language": "en"}
KNOWS = {"image": {0, 1, 2, 3}, "audio": {2, 3, 4, 5, 6}, "text": {0}}
"""Which concepts the made-up model finds by each lane alone."""


class Listed(Model):
    """Finds a concept when one of its lanes knows it; media are the concept's number."""

    name, version = "listed", "0"

    def prepare(self, modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
        """The number that stands in the bytes."""
        return Prepared(int(data))

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """The right label first where a lane knows it, else second."""
        return [self._answer(members) for members in sets]

    def _answer(self, members: Sequence[Member]) -> Fusion:
        concept = members[0].prepared.value if members else 0
        known = any(concept in KNOWS[m.modality] for m in members)
        right, wrong = (tiny_concepts()[concept].label, 0.6), ("nonsense", 0.4)
        return Fusion([right, wrong] if known else [wrong, right])


@pytest.fixture
def report() -> SplitReport:
    """The evaluation of the made-up model; the last concept has no text."""
    media: dict[str, list[Prepared | None]] = {lane: [Prepared(i) for i in range(N_CONCEPTS)] for lane in KNOWS}
    media["text"][-1] = None
    return evaluate(Listed(), media, tiny_concepts(), ABOUT)


def row(rows: list[ScoreRow], kind: str) -> ScoreRow:
    """The line of one kind."""
    return next(row for row in rows if row.what == kind)


def test_every_kind_has_its_line(report: SplitReport) -> None:
    """All seven kinds over the concepts with a text, the three without text over all."""
    assert [r.what for r in report.with_text] == list(KINDS)
    assert {r.n for r in report.with_text} == {N_CONCEPTS - 1}
    assert [r.what for r in report.all_concepts] == ["image", "audio", "image+audio"]
    assert {r.n for r in report.all_concepts} == {N_CONCEPTS}


def test_accuracy_is_the_share_of_hits(report: SplitReport) -> None:
    """4 of 12 by picture, 7 of 12 by picture and speech; the interval holds the share."""
    assert row(report.all_concepts, "image").share == pytest.approx(4 / 12)
    both = row(report.all_concepts, "image+audio")
    assert both.share == pytest.approx(7 / 12)
    assert both.low < both.share < both.high


def test_a_pair_is_compared_with_its_best_part(report: SplitReport) -> None:
    """Picture and speech together find 2 more than speech, the better one."""
    both = row(report.all_concepts, "image+audio")
    assert both.beside == "audio"
    assert both.gap == pytest.approx(2 / 12)
    assert both.gap_low <= both.gap <= both.gap_high


def test_all_three_are_compared_with_pairs_too(report: SplitReport) -> None:
    """The best part of all three is a pair where a pair is best."""
    assert row(report.with_text, "image+text+audio").beside == "image+audio"
    assert row(report.with_text, "image+text+audio").gap == 0


def test_right_label_further_down_counts_apart() -> None:
    """A right label that is not the best is no hit, but it is among the labels."""
    media: dict[str, list[Prepared | None]] = {"text": [Prepared(i) for i in range(N_CONCEPTS)]}
    right, among = hits(Listed(), media, [c.label for c in tiny_concepts()], "text")
    assert right.sum() == 1
    assert among == 1.0


def test_report_reads_as_tables(report: SplitReport) -> None:
    """The text names model, style and voice, and has a line for each kind."""
    text = as_text(report)
    assert "listed 0 on test: style s, voice v" in text
    assert all(f"| {kind} |" in text for kind in KINDS)


def test_missing_file_of_the_corpus_is_named(tmp_path: Path) -> None:
    """Without a corpus the first missing file is named, with how to build it."""
    with pytest.raises(SettingsError, match=r"pictures/s/cat\.png.*make corpus"):
        read_media(Listed(), tmp_path, tiny_concepts(), {}, "s", "v")


def test_json_keeps_its_names(report: SplitReport) -> None:
    """Programs read the report by these names."""
    line = json.loads(msgspec.json.encode(report))["all_concepts"][2]
    assert list(line) == ["kind", "n_concepts", "top1", "low", "high", "best_part", "gap", "gap_low", "gap_high"]
    assert (line["kind"], line["n_concepts"], line["best_part"]) == ("image+audio", N_CONCEPTS, "audio")
