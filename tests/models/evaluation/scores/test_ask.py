"""Questions to a model: sets of every kind, and what stands nearest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.evaluation.scores.answers_found import found
from models.evaluation.scores.ask import BATCH, answer, embeddings, labels_found, ranks, retrieve
from models.evaluation.scores.examine import apart, mix_sentences
from models.interface import Fusion, Member, Model, Prepared


class Echo(Model):
    """Answers with the lanes of a set and the number that its first member holds."""

    name, version = "echo", "0"

    def prepare(self, modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Not asked for."""
        raise NotImplementedError

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """The lanes as the label."""
        assert len(sets) <= BATCH
        return [Fusion([("+".join(m.lane for m in one), 1.0)], np.eye(2, dtype=np.float32)[0]) for one in sets]


def test_sets_hold_the_lanes_of_their_kind() -> None:
    """A concept without one of the media has no set of that kind; the others keep their places."""
    media = {"image": [Prepared(n) for n in range(70)], "text": [None if n == 3 else Prepared(n) for n in range(70)]}
    answers = answer(Echo(), media, "image+text")
    assert [n for n, fusion in enumerate(answers) if fusion is None] == [3]
    assert {fusion.labels[0][0] for fusion in answers if fusion is not None} == {"image+text"}
    assert np.isnan(embeddings(answers)[3]).all()


def test_the_place_of_the_right_label_is_kept() -> None:
    """First is 0, second 1; a label that is not among the answers is beyond, no answer is not asked."""
    three = Fusion([("cat", 0.5), ("dog", 0.3), ("sun", 0.1)])
    assert labels_found([three, three, three, None], ["cat", "sun", "moon", "cat"]) == "02x-"


def test_who_stands_equal_counts_against_the_right_one() -> None:
    """A model that lays everything on one point finds nothing, rather than all."""
    one_point = np.ones((20, 4), np.float32) / 2
    assert min(ranks(one_point, one_point, range(20))) == 19


def test_retrieval_finds_its_own_in_all_six_directions() -> None:
    """Where all lanes of a concept lie together, each finds the other; each direction is asked."""
    points = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0].astype(np.float32)
    made = retrieve({"image": points, "text": points, "audio": points}, [f"text {n}" for n in range(12)])
    assert len(made) == 6
    assert all(outcomes == "0" * 12 and n == 12 for outcomes, n in made.values())


def test_equal_texts_are_one_thing_to_find() -> None:
    """Concepts that share a text find that text; who has none is neither asked nor found."""
    points = np.eye(4, dtype=np.float32)
    texts = points.copy()
    texts[1] = texts[0]
    made = retrieve({"image": texts, "text": texts}, ["pet", "pet", "tool", None])
    assert made["image to text"] == ("000-", 2)
    assert made["text to image"][1] == 3
    assert found(made["text to image"][0], 2)[:3].tolist() == [1, 1, 1]


def test_a_mix_of_sentences_lies_between_them() -> None:
    """What looks half like one and half like another is between both, at length 1."""
    sentences = np.eye(3, dtype=np.float32)
    mixed = mix_sentences([Fusion([("a", 0.4), ("c", 0.4)]), Fusion([("b", 0.1)])], ["a", "b", "c"], sentences)
    assert mixed[0].tolist() == pytest.approx([0.5**0.5, 0, 0.5**0.5])
    assert mixed[1].tolist() == [0, 1, 0]


def test_what_sentences_share_does_not_bring_them_together() -> None:
    """Seen from their middle, vectors of a narrow cone point to all sides."""
    cone = np.array([[1, 0.1, 0], [1, -0.1, 0], [1, 0, 0.1], [1, 0, -0.1]], np.float32)
    seen = apart(cone, cone.mean(axis=0))
    assert seen @ seen.T == pytest.approx(np.array([[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]]))
