"""The protocol asks a model everything, by the bytes of files, through its own path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.evaluation.protocol import AlteredTexts, HeldOut, styles, voices
from models.evaluation.scores import examine
from models.evaluation.scores import examine as zero_shot
from models.evaluation.scores.ask import KINDS
from models.evaluation.scores.examine import Examination, oracle
from models.reference.model import ReferenceModel
from syncline.errors import SettingsError
from tests.support.tiny_corpus import N_CONCEPTS, png, tiny_concepts, tiny_texts, wav


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of the test style and voice for the tiny concepts, and their texts instead of the protocol's."""
    style, voice = next(iter(styles("test"))), next(iter(voices("test")))
    (tmp_path / "pictures" / style).mkdir(parents=True)
    (tmp_path / "speech" / voice).mkdir(parents=True)
    for n, concept in enumerate(tiny_concepts()):
        (tmp_path / "pictures" / style / f"{concept.name}.png").write_bytes(png(n))
        (tmp_path / "speech" / voice / f"{concept.name}.wav").write_bytes(wav(n, 0.3))
    en = tiny_texts().en
    altered = AlteredTexts({"en": dict.fromkeys(en, "k_nd"), "zh": {}}, {"en": dict.fromkeys(en, "other"), "zh": {}})
    monkeypatch.setattr(examine, "texts", tiny_texts)
    monkeypatch.setattr(examine, "altered_texts", lambda: altered)
    monkeypatch.setattr(zero_shot, "held_out", lambda: HeldOut(0, ["cat", "sun", "key"]))
    return tmp_path


def test_every_kind_of_set_is_asked(tiny_model: ReferenceModel, corpus: Path) -> None:
    """Each section has all seven kinds; who has no text is asked about without it alone."""
    made = Examination(tiny_model, corpus, tiny_concepts(), "test").fusion()
    kinds = ("clean", "degraded", "typos", "conflicting")
    assert set(made) == {f"{kind} {language}" for kind in kinds for language in ("en", "zh")}
    assert all(tuple(of) == KINDS for of in made.values())
    not_asked = {kind for kind, outcomes in made["clean en"].items() if outcomes[-1] == "-"}
    assert not_asked == {kind for kind in KINDS if "text" in kind}
    assert made["clean zh"]["text"] == "-" * N_CONCEPTS
    assert made["clean en"]["audio"] != made["degraded en"]["audio"]
    assert made["clean en"]["audio"] == made["typos en"]["audio"]
    assert made["clean en"]["text"] != made["typos en"]["text"]


def test_retrieval_is_asked_with_labels_and_tags(tiny_model: ReferenceModel, corpus: Path) -> None:
    """Six directions each; four different tags are four things to find, twelve labels are twelve; no texts, no line."""
    outcomes, n_among = Examination(tiny_model, corpus, tiny_concepts(), "test").retrieval()
    assert set(outcomes) == {"find label en", "find label zh", "find tag en"}
    assert {len(of) for of in outcomes.values()} == {6}
    assert n_among["find tag en"]["image to text"] == 4
    assert n_among["find label en"]["image to text"] == N_CONCEPTS


def test_zero_shot_asks_about_the_held_out_alone(tiny_model: ReferenceModel, corpus: Path) -> None:
    """Three concepts are held out, so three are asked, in three ways."""

    def encode(texts: Sequence[str]) -> np.ndarray:
        return np.eye(16, dtype=np.float32)[: len(texts)]

    made = zero_shot.zero_shot(tiny_model, encode, corpus, tiny_concepts(), "test")  # pyright: ignore[reportArgumentType]
    assert list(made) == ["speech", "picture", "picture by sentences"]
    assert {len(outcomes) for outcomes in made.values()} == {3}


def test_oracle_is_right_by_how_many_share_the_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three concepts share each tag of the tiny corpus, so the oracle is right in one of three."""
    monkeypatch.setattr(examine, "texts", tiny_texts)
    assert oracle(tiny_concepts(), "en") == [pytest.approx(1 / 3)] * (N_CONCEPTS - 1) + [None]


def test_a_missing_file_is_named(tiny_model: ReferenceModel, tmp_path: Path) -> None:
    """Without the corpus the first missing file is named, with how to build it."""
    with pytest.raises(SettingsError, match=r"cat\.png.*make corpus"):
        Examination(tiny_model, tmp_path, tiny_concepts(), "test")
