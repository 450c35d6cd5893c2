"""What of a model's answers may be published: all that passes can be encoded, and read by any consumer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.interface import Conversion, Fusion
from streams.inference.answer_check import MAX_ANSWER_BYTES, check_answer
from syncline.wire.arrays import from_numpy
from syncline.wire.converted import decode_converted, encode_converted
from syncline.wire.results import decode_fused, encode_fused
from tests.support.contract import example_converted, example_fused

N_MEMBERS = 2


def answer(**parts: Any) -> Fusion:
    return Fusion(**parts)


def said(member: Any = 0, kind: Any = "caption", text: Any = "a cat", score: Any = 0.5) -> Fusion:
    return Fusion(conversions=[Conversion(member, kind, text, score)])


GOOD = {
    "nothing": answer(),
    "all": answer(labels=[("cat", 0.5)], embedding=np.zeros(3, np.float32), conversions=said().conversions),
    "scores of numpy": answer(labels=[("cat", np.float32(0.5)), ("dog", np.float64(0.25)), ("cow", np.int64(0))]),
    "labels as tuples": answer(labels=(("cat", 1),)),
    "another byte order": answer(embedding=np.array([1.0], ">f4")),
    "every second number": answer(embedding=np.arange(10.0)[::2]),
    "half precision": answer(embedding=np.zeros(3, np.float16)),
    "a member of numpy": said(member=np.int64(1), score=np.float32(0.5)),
    "a transcript": said(kind="transcript", text=""),
}
BAD = {
    "no Fusion": "cat",
    "None": None,
    "no labels": answer(labels=None),
    "a label that is a number": answer(labels=[(5, 0.5)]),
    "a label of three": answer(labels=[("cat", 0.5, 1)]),
    "a label alone": answer(labels=["cat"]),
    "half a character": answer(labels=[("\ud800", 0.5)]),
    "a score as text": answer(labels=[("cat", "0.5")]),
    "a score that is none": answer(labels=[("cat", None)]),
    "true": answer(labels=[("cat", True)]),
    "a score of NaN": answer(labels=[("cat", float("nan"))]),
    "an endless score": answer(labels=[("cat", np.float32("inf"))]),
    "a list of numbers": answer(embedding=[1.0, 2.0]),
    "NaN": answer(embedding=np.array([np.nan], np.float32)),
    "two dimensions": answer(embedding=np.zeros((2, 2), np.float32)),
    "objects": answer(embedding=np.array([object()])),
    "text": answer(embedding=np.array(["a"])),
    "complex": answer(embedding=np.array([1j])),
    "truth": answer(embedding=np.array([True])),
    "long doubles": answer(embedding=np.array([1], np.longdouble)),
    "more than a topic takes": answer(embedding=np.zeros(MAX_ANSWER_BYTES, np.float32)),
    "text without end": said(text="a" * (MAX_ANSWER_BYTES + 1)),
    "no conversions": answer(conversions=None),
    "a conversion that is none": answer(conversions=["a cat"]),
    "a poem": said(kind="poem"),
    "bytes": said(text=b"a cat"),
    "no text": said(text=None),
    "half a character in a text": said(text="\udfff"),
    "a member that is none": said(member=2),
    "a member before the first": said(member=-1),
    "a member as text": said(member="0"),
    "a conversion's score of NaN": said(score=float("nan")),
    "a conversion's score above 1": said(score=1.5),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_passes_can_be_published_and_read(name: str) -> None:
    """By a consumer of any language: numpy's scalars are plain numbers then."""
    checked = check_answer(GOOD[name], N_MEMBERS)
    embedding = None if checked.embedding is None else from_numpy(checked.embedding)
    fused = example_fused(labels=tuple(checked.labels), embedding=embedding)
    assert decode_fused(encode_fused(fused).value) == fused
    for one in checked.conversions:
        text = type(example_converted())(
            id="c", stream="s", lane="l", modality="image", source="u", event_id="e", topic="t", partition=0,
            offset=one.member, time_ms=0, kind=one.kind, text=one.text, score=one.score,  # type: ignore[arg-type]
        )  # fmt: skip
        assert decode_converted(encode_converted(text).value) == text


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_published_is_refused(name: str) -> None:
    """It is a fault of the set's, or of the model's, and nothing to end a worker for."""
    with pytest.raises(ValueError, match=r"the model|label|embedding|caption|poem|transcript|conversion|score"):
        check_answer(BAD[name], N_MEMBERS)
