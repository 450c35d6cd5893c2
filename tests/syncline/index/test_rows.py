"""Laws of what is indexed of a result."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from syncline.errors import ContractError
from syncline.index.rows import make_entry, pack
from syncline.wire.arrays import from_numpy
from tests.support.contract import example_fused


def test_members_are_kept_with_their_place() -> None:
    """Where each record is can be told from the row; the words of a text are left out."""
    result = example_fused()
    entry = make_entry(result)
    assert entry is not None
    assert entry.row.labels == result.labels
    assert [(m.topic, m.partition, m.offset, m.event_id) for m in entry.row.members] == [
        ("media.image", 1, 7, "e1"), ("media.text", 1, 7, "e1"),
    ]  # fmt: skip
    assert all(member.words == () for member in entry.row.members)


@pytest.mark.parametrize("missing", ["embedding", "model"])
def test_without_embedding_or_model_there_is_nothing_to_index(missing: str) -> None:
    """It could not be found, or not be compared."""
    assert make_entry(example_fused(**{missing: None})) is None


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", "<i4"])
def test_embeddings_of_any_dtype_are_kept_as_directions(dtype: str) -> None:
    """Length 1, float32."""
    entry = make_entry(example_fused(embedding=from_numpy(np.array([3, 4], dtype))))
    assert entry is not None
    assert struct.unpack("<2f", entry.embedding) == pytest.approx((0.6, 0.8))


@pytest.mark.parametrize("numbers", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0], [], [[1.0], [2.0]]])
def test_embeddings_without_direction_are_refused(numbers: list[float]) -> None:
    """No angle can be measured to them."""
    with pytest.raises(ContractError, match="bad_result"):
        make_entry(example_fused(embedding=from_numpy(np.array(numbers, np.float32))))


def test_too_many_numbers_are_refused() -> None:
    """Before the library refuses them in its own words."""
    with pytest.raises(ContractError, match="8193"):
        pack([1.0] * 8_193)
