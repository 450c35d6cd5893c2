"""Evaluation counts what a model finds, and compares each kind of set with its best part over the same concepts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from models.interface import Fusion, Member, Model, Prepared
from models.training.reference.evaluate import KINDS, AccuracyRow, ReferenceReport, as_text, evaluate, hits, read_media
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
def report() -> ReferenceReport:
    """The evaluation of the made-up model; the last concept has no text."""
    media: dict[str, list[Prepared | None]] = {lane: [Prepared(i) for i in range(N_CONCEPTS)] for lane in KNOWS}
    media["text"][-1] = None
    return evaluate(Listed(), media, tiny_concepts(), ABOUT)


def row(rows: list[AccuracyRow], kind: str) -> AccuracyRow:
    """The line of one kind."""
    return next(row for row in rows if row.kind == kind)


def test_every_kind_has_its_line(report: ReferenceReport) -> None:
    """All seven kinds over the concepts with a text, the three without text over all."""
    assert [r.kind for r in report.with_text] == list(KINDS)
    assert {r.n_concepts for r in report.with_text} == {N_CONCEPTS - 1}
    assert [r.kind for r in report.all_concepts] == ["image", "audio", "image+audio"]
    assert {r.n_concepts for r in report.all_concepts} == {N_CONCEPTS}


def test_accuracy_is_the_share_of_hits(report: ReferenceReport) -> None:
    """4 of 12 by picture, 7 of 12 by picture and speech; the interval holds the share."""
    assert row(report.all_concepts, "image").top1 == pytest.approx(4 / 12)
    both = row(report.all_concepts, "image+audio")
    assert both.top1 == pytest.approx(7 / 12)
    assert both.low < both.top1 < both.high


def test_a_pair_is_compared_with_its_best_part(report: ReferenceReport) -> None:
    """Picture and speech together find 2 more than speech, the better one."""
    both = row(report.all_concepts, "image+audio")
    assert both.best_part == "audio"
    assert both.gap == pytest.approx(2 / 12)
    assert both.gap_low <= both.gap <= both.gap_high


def test_all_three_are_compared_with_pairs_too(report: ReferenceReport) -> None:
    """The best part of all three is a pair where a pair is best."""
    assert row(report.with_text, "image+text+audio").best_part == "image+audio"
    assert row(report.with_text, "image+text+audio").gap == 0


def test_right_label_further_down_counts_apart() -> None:
    """A right label that is not the best is no hit, but it is among the labels."""
    media: dict[str, list[Prepared | None]] = {"text": [Prepared(i) for i in range(N_CONCEPTS)]}
    right, among = hits(Listed(), media, [c.label for c in tiny_concepts()], "text")
    assert right.sum() == 1
    assert among == 1.0


def test_report_reads_as_tables(report: ReferenceReport) -> None:
    """The text names model, style and voice, and has a line for each kind."""
    text = as_text(report)
    assert "listed 0 on test: style s, voice v" in text
    assert all(f"| {kind} |" in text for kind in KINDS)


def test_missing_file_of_the_corpus_is_named(tmp_path: Path) -> None:
    """Without a corpus the first missing file is named, with how to build it."""
    with pytest.raises(SettingsError, match=r"pictures/s/cat\.png.*make corpus"):
        read_media(Listed(), tmp_path, tiny_concepts(), {}, "s", "v")
