"""The reference model answers sets of any members, the same alone as in company."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from models.interface import Fusion, Member
from models.reference.model import ReferenceModel
from syncline.errors import MediaError
from tests.support.tiny_corpus import LABELS, png, wav

LANES = ("image", "text", "audio")
KINDS = [kind for n in range(4) for kind in combinations(LANES, n)]


def member(model: ReferenceModel, modality: str, seed: int) -> Member:
    """A member with made-up media; lengths differ by seed."""
    media = {
        "image": (png(seed), "image/png"),
        "text": (("kind1 " * (1 + seed % 5)).encode(), "text/plain"),
        "audio": (wav(seed, 0.3 + 0.37 * (seed % 6)), "audio/wav"),
    }
    return Member(modality, modality, model.prepare(modality, *media[modality], None))


def same(a: Fusion, b: Fusion) -> bool:
    """Whether two answers agree within the contract's 1e-3."""
    scores = [dict(fusion.labels) for fusion in (a, b)]
    common = scores[0].keys() & scores[1].keys()
    assert a.embedding is not None
    assert b.embedding is not None
    return (
        all(abs(scores[0][label] - scores[1][label]) < 1e-3 for label in common)
        and bool(np.abs(a.embedding - b.embedding).max() < 1e-3)
        and [(c.member, c.kind, c.text) for c in a.conversions] == [(c.member, c.kind, c.text) for c in b.conversions]
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "+".join(kind) or "none")
def test_any_lanes_work(tiny_model: ReferenceModel, kind: tuple[str, ...]) -> None:
    """Whatever lanes are there: labels with falling scores, an embedding of length 1, conversions."""
    (answer,) = tiny_model.run([[member(tiny_model, lane, 3) for lane in kind]])
    scores = [score for _, score in answer.labels]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert {label for label, _ in answer.labels} <= set(LABELS)
    assert answer.embedding is not None
    assert answer.embedding.dtype == np.float32
    assert np.linalg.norm(answer.embedding) == pytest.approx(1, abs=1e-5)
    wanted = {"image": "caption", "audio": "transcript"}
    assert sorted(c.kind for c in answer.conversions) == sorted(wanted[lane] for lane in kind if lane in wanted)


def test_batch_agrees_with_single(tiny_model: ReferenceModel) -> None:
    """A set's answer does not depend on what else is in the batch: neither its length nor its lanes."""
    sets = [[member(tiny_model, lane, 10 * i + j) for j, lane in enumerate(kind)] for i, kind in enumerate(KINDS)]
    together = tiny_model.run(sets)
    alone = [tiny_model.run([one])[0] for one in sets]
    assert all(same(a, b) for a, b in zip(together, alone, strict=True))


def test_several_members_of_a_lane_are_one_voice(tiny_model: ReferenceModel) -> None:
    """A window with the same picture three times says what one with it once says of the lanes' base."""
    picture, speech = member(tiny_model, "image", 1), member(tiny_model, "audio", 2)
    (answer,) = tiny_model.run([[picture, picture, speech, picture]])
    assert [(c.member, c.kind) for c in answer.conversions] == [
        (0, "caption"), (1, "caption"), (2, "transcript"), (3, "caption")
    ]  # fmt: skip
    assert len({(c.text, round(c.score, 4)) for c in answer.conversions if c.kind == "caption"}) == 1


def test_order_of_members_does_not_matter(tiny_model: ReferenceModel) -> None:
    """A set is a set: the same labels whatever order its members come in."""
    members = [member(tiny_model, lane, 4) for lane in LANES]
    forth, back = tiny_model.run([members, members[::-1]])
    assert forth.labels == [(label, pytest.approx(score, abs=1e-5)) for label, score in back.labels]


def test_without_fusion_the_sum_answers(tiny_folder: Path) -> None:
    """What fusion is compared with: of one lane it says what that lane says alone, of two their product."""
    plain = ReferenceModel(tiny_folder, device="cpu", fuse=False)
    members = [member(plain, lane, 4) for lane in ("image", "audio")]
    image, audio, both = plain.run([[members[0]], [members[1]], members])
    for answer, kind in ((image, "caption"), (audio, "transcript")):
        (converted,) = answer.conversions
        assert (converted.kind, converted.text) == (kind, answer.labels[0][0])
        assert converted.score == pytest.approx(answer.labels[0][1], abs=1e-5)
    scores = [dict(answer.labels) for answer in (image, audio, both)]
    first, second = both.labels[0][0], both.labels[1][0]
    if {first, second} <= scores[0].keys() & scores[1].keys():
        ratio = [score[first] / score[second] for score in scores]
        assert ratio[2] == pytest.approx(ratio[0] * ratio[1], rel=1e-3)


def test_no_sets_no_answers(tiny_model: ReferenceModel) -> None:
    """An empty batch is no error."""
    assert tiny_model.run([]) == []


@pytest.mark.parametrize(
    ("modality", "data", "content_type", "reason"),
    [
        ("image", b"no picture", "image/png", "content_type_mismatch"),
        ("image", b"", "image/png", "empty"),
        ("image", png(0)[:-200], "image/png", "image_header"),
        ("audio", b"RIFF????WAVE", "audio/wav", "audio"),
        ("text", b"\xff\xfe", "text/plain", "text_not_utf8"),
        ("smell", b"roses", "text/plain", "modality_unknown"),
    ],
)
def test_bad_media_is_a_media_error(
    tiny_model: ReferenceModel, modality: str, data: bytes, content_type: str, reason: str
) -> None:
    """Whatever is wrong with the media is a `MediaError` with its own reason."""
    with pytest.raises(MediaError) as caught:
        tiny_model.prepare(modality, data, content_type, None)
    assert caught.value.reason.startswith(reason)


def test_prepared_says_what_it_costs(tiny_model: ReferenceModel) -> None:
    """The batcher gets pixels, milliseconds and tokens; text keeps its words with their tags."""
    assert member(tiny_model, "image", 0).prepared.cost == 40 * 40
    assert tiny_model.prepare("audio", wav(0, 1.0), "audio/wav", None).cost == pytest.approx(1_000, abs=30)
    text = tiny_model.prepare("text", "kind1 猫".encode(), "text/plain", "zh")
    assert text.cost == len(text.value)
    assert [word for word, _ in text.words] == ["kind1", "猫"]


def test_warm_up_runs(tiny_model: ReferenceModel) -> None:
    """Warming up raises nothing and answers nothing."""
    assert tiny_model.warm_up() is None
