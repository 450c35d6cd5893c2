"""Many questions about the same media are answered as one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.evaluation.scores.ask import RememberingModel
from models.interface import Member, Prepared
from models.reference.model import ReferenceModel
from tests.support.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def test_answers_are_those_of_the_model(folder: Path) -> None:
    """Also where media come again in other sets, and where one is in a batch twice."""
    dice = np.random.default_rng(1)
    pictures = [Prepared(dice.integers(256, size=(3, 40, 40), dtype=np.uint8)) for _ in range(3)]
    clips = [Prepared(dice.uniform(-1, 1, (64, 50 + 20 * n)).astype(np.float32)) for n in range(3)]
    plain, remembering = ReferenceModel(folder), RememberingModel(folder)
    for picture_of, clip_of in (((0, 1), (0, 1)), ((1, 1), (0, 2)), ((2, 0), (2, 2))):
        sets = [
            [Member("image", "image", pictures[p]), Member("audio", "audio", clips[c])]
            for p, c in zip(picture_of, clip_of, strict=True)
        ]
        for one, other in zip(plain.run(sets), remembering.run(sets), strict=True):
            assert one.embedding == pytest.approx(other.embedding, abs=1e-5)
            assert dict(one.labels) == pytest.approx(dict(other.labels), abs=1e-5)


def test_each_medium_is_encoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen before is not encoded again."""
    encoded: list[int] = []
    encode = ReferenceModel._encode
    monkeypatch.setattr(ReferenceModel, "_encode", lambda self, m: encoded.append(len(m)) or encode(self, m))
    pictures = [Member("image", "image", Prepared(np.full((3, 40, 40), n, np.uint8))) for n in range(3)]
    model = RememberingModel(folder)
    model.run([[pictures[0]], [pictures[1]], [pictures[0], pictures[1]]])
    model.run([[pictures[2]], [pictures[0]]])
    model.run([[pictures[1]]])
    assert encoded == [2, 1]
