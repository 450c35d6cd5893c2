"""When a snapshot is written and how: the claim is renewed, then the parts go one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from streams.decisions.entries import Claim, ResolvedRun, SnapshotPart
from streams.decisions.sizes import encoded_bytes
from streams.join.clocks import LaneState

T = TypeVar("T")
PART_BYTES = 400_000
"""A part stays well under 512 KiB, the size at which brokers' limits begin to matter."""
_ID_BYTES = 20


REFRESH_MS = 3_600_000
"""Far below any retention of the log: a partition that idles would end with an empty one beside committed offsets."""


class SnapshotWriter:
    """Due every `every_decisions` decisions or `every_ms`, if anything has changed since the last one.

    Where nothing changes it is due every `REFRESH_MS`.
    """

    def __init__(self, now_ms: int, every_decisions: int = 5_000, every_ms: int = 30_000) -> None:
        self._every_decisions, self._every_ms = every_decisions, every_ms
        self._last_ms, self._n_since = now_ms, 0
        self._parts: deque[SnapshotPart] = deque()
        self._asked = self._has_just_written = False
        self.renewing = False
        """The renewed claim has not been read back: what is proposed now would be void behind it."""

    def ask(self) -> None:
        """One is due now."""
        self._asked = True

    @property
    def busy(self) -> bool:
        """Whether one was asked for or has begun, and not all of its parts are on their way."""
        return self._asked or self.renewing or bool(self._parts)

    def count(self, n_decisions: int) -> None:
        """Decisions were read back."""
        self._n_since += n_decisions

    def due(self, now_ms: int) -> bool:
        """Whether it is time; never twice in a row, so that a slow broker gets decisions too."""
        if self._has_just_written:
            return False
        wait_ms = self._every_ms if self._n_since else REFRESH_MS
        return self._asked or self._n_since >= self._every_decisions or now_ms - self._last_ms >= wait_ms

    def let_others_go(self) -> None:
        """What else there is to propose has its turn."""
        self._has_just_written = False

    def renew(self, now_ms: int) -> None:
        """The claim is being renewed; `begin` follows when it is read back."""
        self._last_ms, self._n_since, self.renewing, self._asked = now_ms, 0, True, False

    def begin(self, parts: list[SnapshotPart]) -> None:
        """The renewed claim was read back: these are the parts under it."""
        self._parts, self.renewing, self._has_just_written = deque(parts), False, True

    def reset(self) -> None:
        """The claim was lost or is new: a snapshot that had begun is of no use."""
        self._parts.clear()
        self.renewing = False

    def next_part(self) -> SnapshotPart | None:
        """The part that goes next, None if none waits."""
        return self._parts.popleft() if self._parts else None


def snapshot_parts(
    at: Mapping[str, int],
    clocks: Iterable[LaneState],
    bounds: Mapping[str, int],
    resolved: Iterable[ResolvedRun],
    replay_from: tuple[int, int, Claim | None],
    claim_offset: int,
    first_number: int,
) -> list[SnapshotPart]:
    """A snapshot as parts of at most about `PART_BYTES`, numbered from `first_number`."""
    rows = [(piece, encoded_bytes(piece)) for row in clocks for piece in _pieces(row)]
    chunks: list[tuple[list[LaneState], dict[str, int], list[ResolvedRun]]] = [([], {}, [])]
    chunks += [(part, {}, []) for part in _chunks(rows)]
    sized_bounds = [(bound, encoded_bytes(bound)) for bound in bounds.items()]
    chunks += [([], dict(part), []) for part in _chunks(sized_bounds)]
    chunks += [([], {}, part) for part in _chunks([(run, encoded_bytes(run)) for run in resolved])]
    chunks = chunks[1:] or chunks
    return [
        SnapshotPart(
            claim=claim_offset,
            number=first_number + part,
            part=part,
            n_parts=len(chunks),
            at=dict(at),
            replay_from=replay_from[0],
            replay_claim_offset=replay_from[1],
            replay_claim=replay_from[2],
            clocks=rows_of_part,
            bounds=bounds_of_part,
            resolved=resolved_of_part,
        )
        for part, (rows_of_part, bounds_of_part, resolved_of_part) in enumerate(chunks)
    ]


def _pieces(row: LaneState) -> Iterator[LaneState]:
    """One lane as rows that each fit into a part, however many ids it remembers."""
    n_ids = max(1, PART_BYTES // _ID_BYTES)
    yield msgspec.structs.replace(row, recent=row.recent[:n_ids])
    for start in range(n_ids, len(row.recent), n_ids):
        yield msgspec.structs.replace(row, recent=row.recent[start : start + n_ids])


def _chunks(sized: Iterable[tuple[T, int]]) -> Iterator[list[T]]:
    """The things, each given with its bytes, in lists of at most about `PART_BYTES`, at least one in each."""
    chunk: list[T] = []
    n_bytes = 0
    for thing, size in sized:
        if chunk and n_bytes + size > PART_BYTES:
            yield chunk
            chunk, n_bytes = [], 0
        chunk.append(thing)
        n_bytes += size
    if chunk:
        yield chunk
