"""The state at the acknowledged offsets: kept as records are acknowledged, written to the log now and then.

Without it a worker that takes over would not know how far each lane's watermark had come: image t=1000 at offset
99 is acknowledged; crash; offset 100 has t=500; it must be late, as it would have been without the crash. It is the
state at the acknowledged offsets and not at the newest item read, because a watermark taken further on would make
undecided items late when they are read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from streams.decisions.entries import Claim, SnapshotPart
from streams.join.clocks import Clocks, LaneState
from streams.join.model import Item

PART_BYTES = 400_000
"""A part stays well under 512 KiB, the size at which brokers' limits begin to matter."""


class SnapshotPolicy:
    """When the next snapshot is due: every `every_decisions` decisions or `every_ms`, if anything has changed."""

    def __init__(self, now_ms: int, every_decisions: int = 5_000, every_ms: int = 30_000) -> None:
        self._every_decisions, self._every_ms = every_decisions, every_ms
        self._last_ms, self._n_since = now_ms, 0

    def count(self, n_decisions: int) -> None:
        """Decisions were read back."""
        self._n_since += n_decisions

    def due(self, now_ms: int) -> bool:
        """Whether it is time."""
        waited = now_ms - self._last_ms >= self._every_ms
        return self._n_since >= self._every_decisions or (waited and self._n_since > 0)

    def taken(self, now_ms: int) -> None:
        """A snapshot is being written."""
        self._last_ms, self._n_since = now_ms, 0


def advance(clocks: Clocks, decided: Iterable[Item]) -> None:
    """Apply items to `clocks` in offset order of each topic, as the join did when they arrived."""
    for item in sorted(decided, key=lambda item: (item.topic, item.offset)):
        clocks.move(item)


def snapshot_parts(
    at: Mapping[str, int],
    clocks: list[LaneState],
    bounds: Mapping[str, int],
    replay_from: int,
    replay_claim: tuple[int, Claim | None],
    claim_offset: int,
    first_number: int,
) -> list[SnapshotPart]:
    """A snapshot as parts of at most about `PART_BYTES`, numbered from `first_number`; `bounds` is in the first."""
    chunks: list[list[LaneState]] = [[]]
    size = 0
    for row in clocks:
        size += len(msgspec.msgpack.encode(row))
        if size > PART_BYTES and chunks[-1]:
            chunks.append([])
            size = 0
        chunks[-1].append(row)
    return [
        SnapshotPart(
            claim=claim_offset,
            number=first_number + part,
            part=part,
            n_parts=len(chunks),
            at=dict(at),
            replay_from=replay_from,
            replay_claim_offset=replay_claim[0],
            replay_claim=replay_claim[1],
            clocks=rows,
            bounds=dict(bounds) if part == 0 else {},
        )
        for part, rows in enumerate(chunks)
    ]
