"""The index's row of a fused result, and which results have none."""

from __future__ import annotations

import math
import struct

import msgspec

from syncline.errors import ContractError
from syncline.wire.arrays import Array
from syncline.wire.results import FusedResult, ModelInfo, Outcome, ResultMember

MAX_DIMENSIONS = 8_192
"""sqlite-vec's limit."""


class IndexRow(msgspec.Struct, frozen=True, kw_only=True):
    """A fused result in the index, without its embedding, reason, words and timings.

    `start_ms`, `end_ms`: ms since 1970. `labels`: (label, score in [0, 1]), best first.
    """

    id: str
    stream: str
    start_ms: int
    end_ms: int
    outcome: Outcome
    missing: tuple[str, ...]
    labels: tuple[tuple[str, float], ...]
    members: tuple[ResultMember, ...]
    model: ModelInfo


class IndexEntry(msgspec.Struct, frozen=True):
    """A row and its embedding, little-endian float32."""

    row: IndexRow
    embedding: bytes

    @property
    def n_dimensions(self) -> int:
        """The length of the embedding."""
        return len(self.embedding) // 4


def make_entry(result: FusedResult) -> IndexEntry | None:
    """Make the entry of a result; None if it has no embedding or no model.

    Raises `ContractError("bad_result")` for an embedding without a direction: not one row of numbers, not finite, or
    all zeros.
    """
    if result.embedding is None or result.model is None:
        return None
    row = IndexRow(
        id=result.id,
        stream=result.stream,
        start_ms=result.start_ms,
        end_ms=result.end_ms,
        outcome=result.outcome,
        missing=result.missing,
        labels=result.labels,
        members=tuple(msgspec.structs.replace(member, words=()) for member in result.members),
        model=result.model,
    )
    return IndexEntry(row, pack(_numbers(result.embedding)))


def pack(numbers: list[float]) -> bytes:
    """Normalise and pack a vector. Raises `ContractError("bad_result")` if it has no direction."""
    if not 0 < len(numbers) <= MAX_DIMENSIONS:
        raise ContractError("bad_result", f"embedding of {len(numbers)} numbers, takes 1 to {MAX_DIMENSIONS}")
    norm = math.hypot(*numbers)
    if not 0 < norm < math.inf:
        raise ContractError("bad_result", f"embedding of norm {norm}, takes finite numbers that are not all 0")
    # Only directions are compared; with length 1 they neither overflow nor underflow in float32.
    return struct.pack(f"<{len(numbers)}f", *(number / norm for number in numbers))


def _numbers(array: Array) -> list[float]:
    if len(array.shape) != 1:
        raise ContractError("bad_result", f"embedding of shape {array.shape}, takes one row of numbers")
    return [float(number) for number in array.values()]
