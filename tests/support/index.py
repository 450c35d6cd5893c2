"""Entries and results for tests of the index."""

from __future__ import annotations

import numpy as np

from syncline.index.rows import IndexEntry, make_entry
from syncline.wire.arrays import from_numpy
from syncline.wire.results import FusedResult, ModelInfo
from tests.support.contract import example_fused


def result_at(
    result_id: str, *direction: float, model: str = "reference", version: str = "1", **changes: object
) -> FusedResult:
    """A result whose embedding has these numbers."""
    embedding = from_numpy(np.array(direction, np.float32))
    return example_fused(result_id, embedding=embedding, model=ModelInfo(model, version), **changes)


def entry_at(result_id: str, *direction: float, **changes: object) -> IndexEntry:
    """The same as an entry of the index."""
    entry = make_entry(result_at(result_id, *direction, **changes))  # type: ignore[arg-type]
    assert entry is not None
    return entry
