"""Lanes of one space are averaged, lanes of others stand side by side, and what scores labels itself is heard too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from models.adapters.lane_model import Encoded, LaneEncoder, LaneModel, Vectors, log_softmax
from models.interface import Member, Prepared
from syncline.errors import MediaError


class Fixed(LaneEncoder):
    """Values are vectors already; texts of labels are looked up."""

    def __init__(self, space: str, width: int, texts: dict[str, list[float]] | None = None) -> None:
        self.space, self.width, self._texts = space, width, texts

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        return Prepared(np.frombuffer(data, np.float32))

    def encode(self, values: Sequence[Any]) -> Encoded:
        return Encoded(np.stack(values))

    def encode_labels(self, texts: Sequence[str]) -> Vectors | None:
        return None if self._texts is None else np.asarray([self._texts[text] for text in texts], np.float32)


class Scorer(LaneEncoder):
    """Values are scores of labels."""

    def prepare(self, data: bytes, content_type: str) -> Prepared:
        return Prepared(np.frombuffer(data, np.float32))

    def encode(self, values: Sequence[Any]) -> Encoded:
        return Encoded(scores=np.stack(values))


def member(modality: str, *values: float) -> Member:
    return Member(modality, modality, Prepared(np.asarray(values, np.float32)))


def test_one_space_is_averaged() -> None:
    """Each lane counts once, however many members it has and however long their vectors are."""
    model = LaneModel("m", "1", {"image": Fixed("shared", 2), "text": Fixed("shared", 2)})
    (answer,) = model.run([[member("image", 9, 0), member("image", 1, 0), member("text", 0, 5)]])
    np.testing.assert_allclose(answer.embedding, [0.5**0.5, 0.5**0.5], atol=1e-6)


def test_other_spaces_stand_side_by_side() -> None:
    """The embedding has one width, whatever is missing from a set; what is missing is zeros."""
    model = LaneModel("m", "1", {"image": Fixed("seen", 2), "audio": Fixed("heard", 3)})
    both, seen, heard, nothing = model.run(
        [
            [member("image", 0, 2), member("audio", 1, 0, 0)],
            [member("image", 3, 0)],
            [member("audio", 0, 0, 4)],
            [],
        ]
    )
    np.testing.assert_allclose(both.embedding, np.asarray([0, 1, 1, 0, 0]) / 2**0.5, atol=1e-6)
    np.testing.assert_allclose(seen.embedding, [1, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(heard.embedding, [0, 0, 0, 0, 1], atol=1e-6)
    assert nothing.embedding is None


def test_labels_are_scored_by_cosine() -> None:
    """The softmax of scale x cosine, best first; with a prompt, and with other labels later."""
    texts = {"a cat": [1.0, 0.0], "a dog": [0.0, 1.0], "a cow": [-1.0, 0.0]}
    lanes = {"image": Fixed("shared", 2), "text": Fixed("shared", 2, texts)}
    model = LaneModel("m", "1", lanes, ["cat", "dog"], "a {}", scale=2.0)
    (answer,) = model.run([[member("image", 5, 0)]])
    assert dict(answer.labels) == pytest.approx({"cat": 1 / (1 + np.exp(-2)), "dog": 1 / (1 + np.exp(2))}, abs=1e-6)
    model.use_labels(["dog", "cow"])
    assert model.run([[member("image", -5, 0)]])[0].labels[0][0] == "cow"


def test_scores_of_lanes_are_averaged_as_log_probabilities() -> None:
    """Two members that score labels are one voice."""
    model = LaneModel("m", "1", {"image": Scorer()}, ["x", "y"])
    (answer,) = model.run([[member("image", 4, 0), member("image", 0, 4)]])
    assert dict(answer.labels) == pytest.approx({"x": 0.5, "y": 0.5})
    assert answer.embedding is None


def test_lanes_that_are_not_there_are_refused() -> None:
    """The error names the lanes that there are."""
    with pytest.raises(MediaError, match="modality_unknown: got 'text', takes image"):
        LaneModel("m", "1", {"image": Scorer()}).prepare("text", b"", "text/plain", None)


def test_log_softmax_takes_any_size() -> None:
    """Scores of thousands do not overflow."""
    np.testing.assert_allclose(np.exp(log_softmax(np.asarray([[1e4, 1e4]], np.float32))), [[0.5, 0.5]])
