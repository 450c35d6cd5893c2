"""Snapshots for the log: the state at one moment, cut into parts in small steps, written at intervals."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import msgspec

from streams.decisions.checkpoint_state import CheckpointState
from streams.decisions.entries import Claim, ResolvedRun, SnapshotPart, encoded_bytes
from streams.decisions.execution import DecisionExecutor
from streams.decisions.in_flight import InFlight
from streams.join.clocks import Clocks
from streams.join.lane_clock import LaneClock, LaneState

PART_BYTES = 400_000
"""Size of a part, well under 512 KiB, where brokers' limits begin to matter."""
STEP_BYTES = 100_000
"""Limit of bytes cut in one step."""
THINGS_A_STEP = 1_000
"""Limit of lanes, bounds and runs cut in one step, a few ms."""
_ID_BYTES = 20

Bound = tuple[str, int]
Thing = LaneClock | LaneState | Bound | ResolvedRun


class State(NamedTuple):
    """A snapshot's content, at one moment; for the fields see `SnapshotPart`."""

    at: Mapping[str, int]
    clocks: Iterable[LaneClock | LaneState]
    bounds: Iterable[Bound]
    resolved: Iterable[ResolvedRun]
    replay_from: tuple[int, int, Claim | None]
    claim_offset: int


class Snapshot:
    """Cuts a state into parts of about `PART_BYTES` at most.

    Call `cut` until it is `whole`, then `next_part` until it is `gone`. things_a_step: limit of lanes, bounds and runs
    in one step; default `THINGS_A_STEP`.
    """

    def __init__(self, state: State, things_a_step: int | None = None) -> None:
        self._state = state
        self._things_a_step = THINGS_A_STEP if things_a_step is None else things_a_step
        self._things: Iterator[Thing] = chain(_pieces(state.clocks), state.bounds, state.resolved)
        self._parts: deque[list[Thing]] = deque()
        self._n_bytes = 0
        self._n_parts = self._n_taken = 0
        self.whole = False
        """Whether all of it is cut, so that the number of parts is known and the first may go."""

    def cut(self) -> None:
        """Cut some more; takes a few ms at most."""
        n_bytes = 0
        for _ in range(self._things_a_step):
            thing = next(self._things, None)
            if thing is None:
                self._parts = self._parts or deque([[]])  # without a part it could not be found
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
        """Return the next part as the entry with this number. Raises `IndexError` if none is left."""
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
    """Yield the lanes; split one with very many ids into several rows, so that each fits into a part."""
    n_ids = max(1, STEP_BYTES // _ID_BYTES)
    for row in rows:
        if isinstance(row, LaneClock) or len(row.recent) <= n_ids:
            yield row
            continue
        for start in range(0, len(row.recent), n_ids):
            yield msgspec.structs.replace(row, recent=row.recent[start : start + n_ids])


class SnapshotSource:
    """Takes snapshots of one owner's state."""

    def __init__(self, checkpoint: CheckpointState, in_flight: InFlight, execution: DecisionExecutor) -> None:
        self._checkpoint, self._in_flight, self._execution = checkpoint, in_flight, execution

    def take(self, newest: Clocks, log_end: int, claim_offset: int, things_a_step: int | None = None) -> Snapshot:
        """Take the present state as a snapshot under the claim at `claim_offset`.

        newest: the join's clocks, ahead of those at the acknowledged offsets. log_end: up to where the log was read.
        things_a_step: see `Snapshot`.
        """
        replay_from = self._replay_from(log_end)
        state = State(
            at=self._in_flight.resolved_below,
            clocks=self._checkpoint.clocks.capture().rows(),
            bounds=self._checkpoint.live_bounds(replay_from[0], newest),
            resolved=tuple(self._resolved()),
            replay_from=replay_from,
            claim_offset=claim_offset,
        )
        return Snapshot(state, things_a_step)

    def forget_bounds(self, log_end: int) -> None:
        """Drop bounds that no reader of the log needs."""
        self._checkpoint.forget_bounds(self._replay_from(log_end)[0])

    def _resolved(self) -> Iterator[ResolvedRun]:
        """Yield the runs resolved above the acknowledged offsets, which must not be published again."""
        return chain(self._in_flight.resolved(), self._execution.resolved_ahead())

    def _replay_from(self, log_end: int) -> tuple[int, int, Claim | None]:
        """Return where a reader begins, and the claim that was current there."""
        return self._checkpoint.replay_from(self._named(), log_end)

    def _named(self) -> Iterator[int]:
        """Yield the log offsets of decisions that name records at or above the acknowledged offsets."""
        return chain(self._in_flight.log_offsets(), self._execution.log_offsets())


REFRESH_MS = 3_600_000
"""Far below any retention: an idle partition's log would end up empty beside committed offsets."""


class SnapshotWriter:
    """Schedules snapshots: every `every_decisions` decisions or `every_ms` after a change, else every `REFRESH_MS`."""

    def __init__(self, now_ms: int, every_decisions: int = 5_000, every_ms: int = 30_000) -> None:
        self._every_decisions, self._every_ms = every_decisions, every_ms
        self._last_ms, self._n_since = now_ms, 0
        self._snapshot: Snapshot | None = None
        self._asked = self._has_just_written = False
        self.renewing = False
        """Whether a renewed claim has not been read back: a proposal now would be void."""

    def ask(self) -> None:
        """Make a snapshot due now."""
        self._asked = True

    @property
    def busy(self) -> bool:
        """Whether a snapshot was asked for or has begun, and not all its parts are on their way."""
        return self._asked or self.renewing or self._snapshot is not None

    def count(self, n_decisions: int) -> None:
        """Count decisions that were read back."""
        self._n_since += n_decisions

    def due(self, now_ms: int) -> bool:
        """Tell whether a snapshot is due; never twice in a row, so that a slow broker gets decisions too.

        Not while one is being cut, unless a newer one was asked for, which replaces it.
        """
        if self._has_just_written or (self._snapshot is not None and not self._asked):
            return False
        wait_ms = self._every_ms if self._n_since else REFRESH_MS
        return self._asked or self._n_since >= self._every_decisions or now_ms - self._last_ms >= wait_ms

    def let_others_go(self) -> None:
        """Let other proposals go first."""
        self._has_just_written = False

    def renew(self, now_ms: int) -> None:
        """Note that the claim is being renewed; call `begin` when it is read back."""
        self._last_ms, self._n_since, self.renewing, self._asked = now_ms, 0, True, False
        self._snapshot = None

    def begin(self, snapshot: Snapshot) -> None:
        """Begin to cut a snapshot of the state under the renewed claim."""
        self._snapshot, self.renewing, self._has_just_written = snapshot, False, True

    def reset(self) -> None:
        """Drop a snapshot that has begun, because the claim is lost or new."""
        self._snapshot, self.renewing = None, False

    @property
    def cutting(self) -> bool:
        """Whether `cut` must be called again."""
        return self._snapshot is not None and not self._snapshot.whole

    def cut(self) -> None:
        """Cut some more of the state."""
        if self._snapshot is not None and not self._snapshot.whole:
            self._snapshot.cut()

    def next_part(self, number: int) -> SnapshotPart | None:
        """Return the next part as the entry with this number; None if none is ready."""
        if self._snapshot is None or not self._snapshot.whole:
            return None
        part = self._snapshot.next_part(number)
        if self._snapshot.gone:
            self._snapshot = None
        return part
