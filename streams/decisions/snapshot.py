"""A snapshot on its way into the log: taken at one moment, cut into parts while the event loop goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import msgspec

from streams.decisions.entries import Claim, ResolvedRun, SnapshotPart
from streams.decisions.sizes import encoded_bytes
from streams.join.lane_clock import LaneClock, LaneState

PART_BYTES = 400_000
"""A part stays well under 512 KiB, the size at which brokers' limits begin to matter."""
STEP_BYTES = 100_000
"""So much is cut in one step at most, however few things that are."""
THINGS_A_STEP = 1_000
"""Lanes, bounds or runs that one step cuts: a few milliseconds."""
_ID_BYTES = 20

Bound = tuple[str, int]
Thing = LaneClock | LaneState | Bound | ResolvedRun


class State(NamedTuple):
    """What a snapshot says: all of it as it was at one moment. `at`, `replay_from`: see `SnapshotPart`."""

    at: Mapping[str, int]
    clocks: Iterable[LaneClock | LaneState]
    bounds: Iterable[Bound]
    resolved: Iterable[ResolvedRun]
    replay_from: tuple[int, int, Claim | None]
    claim_offset: int


class Snapshot:
    """Cuts a state into parts of at most about `PART_BYTES`.

    Call `cut` until it is `whole`, then take the parts with `next_part` until it is `gone`. `things_a_step`: at most so
    many lanes, bounds and runs in one step, `THINGS_A_STEP` unless given.
    """

    def __init__(self, state: State, things_a_step: int | None = None) -> None:
        self._state = state
        self._things_a_step = THINGS_A_STEP if things_a_step is None else things_a_step
        self._things: Iterator[Thing] = chain(_pieces(state.clocks), state.bounds, state.resolved)
        self._parts: deque[list[Thing]] = deque()
        self._n_bytes = 0
        self._n_parts = self._n_taken = 0
        self.whole = False
        """All of it is in parts: how many there are is known, so the first may go."""

    def __len__(self) -> int:
        return len(self._parts)

    def cut(self) -> None:
        """Put some more into parts; costs a few milliseconds at most."""
        n_bytes = 0
        for _ in range(self._things_a_step):
            thing = next(self._things, None)
            if thing is None:
                self._parts = self._parts or deque([[]])  # without parts it could not be found
                self._n_parts, self.whole = len(self._parts), True
                return
            size = encoded_bytes(thing.state() if isinstance(thing, LaneClock) else thing)
            self._put(thing, size)
            n_bytes += size
            if n_bytes > STEP_BYTES:
                return

    def _put(self, thing: Thing, size: int) -> None:
        if not self._parts or self._n_bytes + size > PART_BYTES:
            self._parts.append([])
            self._n_bytes = 0
        self._parts[-1].append(thing)
        self._n_bytes += size

    @property
    def gone(self) -> bool:
        """Whether every part has been taken."""
        return self.whole and not self._parts

    def next_part(self, number: int) -> SnapshotPart:
        """The part that goes next, as the entry with this number; raises `IndexError` where none is left."""
        state, things = self._state, self._parts.popleft()
        self._n_taken += 1
        return SnapshotPart(
            claim=state.claim_offset,
            number=number,
            part=self._n_taken - 1,
            n_parts=self._n_parts,
            at=dict(state.at),
            replay_from=state.replay_from[0],
            replay_claim_offset=state.replay_from[1],
            replay_claim=state.replay_from[2],
            clocks=[
                thing.state() if isinstance(thing, LaneClock) else thing
                for thing in things
                if isinstance(thing, LaneClock | LaneState)
            ],
            bounds=dict([thing for thing in things if isinstance(thing, tuple)]),
            resolved=[thing for thing in things if isinstance(thing, ResolvedRun)],
        )


def _pieces(rows: Iterable[LaneClock | LaneState]) -> Iterator[LaneClock | LaneState]:
    """The lanes, one that remembers very many ids as several rows, so that each fits into a part."""
    n_ids = max(1, STEP_BYTES // _ID_BYTES)
    for row in rows:
        if isinstance(row, LaneClock) or len(row.recent) <= n_ids:
            yield row
            continue
        for start in range(0, len(row.recent), n_ids):
            yield msgspec.structs.replace(row, recent=row.recent[start : start + n_ids])
