"""Labels and retrieval are scored by hand-made answers whose right scores are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from models.evaluation.answers import GIVEN, Answers, kinds_of
from models.evaluation.labels import Accuracy, score_labels
from models.evaluation.manifest import EvaluationEntry, EvaluationRow
from models.evaluation.retrieval import Direction, score_retrieval
from models.interface import Fusion, Member, Model, Prepared

DIRECTIONS = {"cat": (1.0, 0.0, 0.0), "dog": (0.0, 1.0, 0.0), "zebra": (0.0, 0.0, 1.0)}
"""Zebra is no label of the model's, but it can embed the word."""


class Embeds(Model):
    """Embeds the three words; its own labels are two."""

    name, version, labels = "embeds", "0", ("Cat", "Dog")

    def prepare(self, modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
        """The word."""
        return Prepared(data.decode())

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """The word's direction."""
        return [fused([], DIRECTIONS[one[0].prepared.value]) for one in sets]


def fused(labels: list[str], embedding: Any) -> Fusion:
    """An answer."""
    return Fusion([(label, 0.5) for label in labels], np.array(embedding, np.float32))


def rows(*entries: EvaluationEntry) -> list[EvaluationRow]:
    """Numbered from 1."""
    return [EvaluationRow(i, entry) for i, entry in enumerate(entries, start=1)]


@pytest.fixture
def answers() -> Answers:
    """Four things: pictures know cat and dog, speech also the zebra; the last one's speech is broken."""
    entries = rows(
        *(
            EvaluationEntry(str(i), image="i", audio="a", label=label)
            for i, label in enumerate(["cat", "dog", "zebra", "dog"])
        )
    )
    image = [
        fused(["cat"], (1, 0, 0)), fused(["dog"], (0, 1, 0)),
        fused(["cat"], (1, 0.2, 0)), fused(["cat", "dog"], (1, 0.5, 0)),
    ]  # fmt: skip
    audio = [fused(["dog", "cat"], (0.3, 1, 0)), fused(["dog"], (0, 1, 0)), fused(["cat"], (0.1, 0, 1)), None]
    both = [fused(["cat"], (1, 0, 0)), fused(["dog"], (0, 1, 0)), fused(["cat"], (0, 0, 1)), None]
    return Answers(entries, {"image": list(image), "audio": list(audio), "image+audio": list(both)}, [])


def accuracy(answers: Answers, kind: str) -> Accuracy:
    """The line of one kind."""
    return next(row for row in score_labels(Embeds(), answers).rows if row.kind == kind)


def test_own_labels_are_scored_where_the_model_has_them(answers: Answers) -> None:
    """Zebra is left out, and named; case does not count. 2 of 3 pictures, the third is among the best five."""
    image = accuracy(answers, "image")
    assert image.n == 4
    assert image.own is not None
    assert (image.own.n, image.own.value) == (3, pytest.approx(2 / 3))
    assert image.own_at_5 is not None
    assert image.own_at_5.value == 1.0
    labels = score_labels(Embeds(), answers)
    assert (labels.n_labels, labels.unknown) == (3, ["zebra"])


def test_given_labels_are_scored_by_their_words(answers: Answers) -> None:
    """Among the manifest's labels the zebra counts too: speech finds 2 of 3, pictures 2 of 4."""
    assert accuracy(answers, "audio").given.value == pytest.approx(2 / 3)  # pyright: ignore[reportOptionalMemberAccess]
    assert accuracy(answers, "image").given.value == pytest.approx(2 / 4)  # pyright: ignore[reportOptionalMemberAccess]


def test_a_pair_is_compared_with_its_best_part(answers: Answers) -> None:
    """Over the rows that have both: both are right in 2 of 2, pictures too, speech in 1."""
    both = accuracy(answers, "image+audio")
    assert both.best_part == "image"
    assert both.gap is not None
    assert (both.gap.value, both.gap.n) == (0.0, 2)


def test_what_tells_nothing_apart_finds_nothing(answers: Answers) -> None:
    """A model that embeds all alike has no hit by ties."""
    same = [fused(["cat"], (1, 1, 1)) for _ in answers.rows]
    alike = Answers(answers.rows, {"image": list(same), "audio": list(same)}, [])
    assert accuracy(alike, "image").given.value == 0.0  # pyright: ignore[reportOptionalMemberAccess]
    assert score_retrieval(alike)[0].recall_at_1.value == 0.0


def direction(answers: Answers, query: str, target: str) -> Direction:
    """One direction's figures."""
    return next(d for d in score_retrieval(answers) if (d.query, d.target) == (query, target))


def test_retrieval_finds_the_row_itself_or_its_label(answers: Answers) -> None:
    """Of three pictures the cat's and the dog's are closest to their own clips, the zebra's to the cat's."""
    found = direction(answers, "image", "audio")
    assert found.n == 3
    assert found.recall_at_1.value == pytest.approx(2 / 3)
    assert found.recall_at_5.value == 1.0


def test_rows_of_one_text_are_right_for_each_other() -> None:
    """Without labels, a text that two rows share is found by either picture."""
    entries = rows(*(EvaluationEntry(str(i), image="i", text=t) for i, t in enumerate(["fruit", "Fruit!", "animal"])))
    image = [fused([], (1, 0, 0)), fused([], (1, 0, 0.1)), fused([], (0, 1, 0))]
    text = [fused([], (1, 0, 0)), fused([], (1, 0, 0)), fused([], (0, 1, 0))]
    found = direction(Answers(entries, {"image": list(image), "text": list(text)}, []), "image", "text")
    assert found.recall_at_1.value == 1.0


def test_a_model_that_embeds_nothing_is_scored_by_its_labels_alone(answers: Answers) -> None:
    """No embeddings: no retrieval, no given labels, a note that says why."""

    class Mute(Embeds):
        """Gives no embedding."""

        def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
            """Nothing."""
            return [Fusion() for _ in sets]

    mute = Answers(answers.rows, {"image": [Fusion([("cat", 1.0)])] * 4}, [])
    labels = score_labels(Mute(), mute)
    assert labels.rows[0].given is None
    assert "no embedding" in labels.note
    assert score_retrieval(mute) == []


def test_kinds_are_those_that_rows_can_make() -> None:
    """Rows of one kind make its parts; where rows differ, all that each has is a kind too."""
    both = rows(EvaluationEntry("1", image="i", text="t"), EvaluationEntry("2", image="i", text="t"))
    assert kinds_of(both) == ["image", "text", "image+text"]
    assert kinds_of([*both, *rows(EvaluationEntry("3", audio="a"))]) == ["image", "text", "audio", "image+text", GIVEN]
