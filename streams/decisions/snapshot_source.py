"""What a snapshot says: how far all is resolved, the clocks there, and what lies resolved beyond."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from streams.decisions.carry_out import CarryOut
from streams.decisions.entries import Claim
from streams.decisions.holds import Holds
from streams.decisions.rules import Rules
from streams.decisions.settled import SettledState
from streams.decisions.snapshot import Snapshot, State
from streams.join.clocks import Clocks


class SnapshotSource:
    """Takes snapshots of the state of one owner."""

    def __init__(self, settled: SettledState, holds: Holds, carry_out: CarryOut, rules: Rules) -> None:
        self._settled, self._holds, self._carry_out, self._rules = settled, holds, carry_out, rules

    def take(self, newest: Clocks, log_end: int, claim_offset: int, things_a_step: int | None = None) -> Snapshot:
        """The state now, as a snapshot under the claim at `claim_offset`; the log was read up to `log_end`.

        `newest`: the clocks of the join, ahead of those at the acknowledged offsets. `things_a_step`: see `Snapshot`.
        """
        replay_from = self._replay_from(log_end)
        clocks = self._settled.clocks if self._rules.snapshot_at_acknowledged else newest
        known = chain(self._holds.resolved(), self._carry_out.resolved_ahead())
        state = State(
            at=self._holds.resolved_below,
            clocks=clocks.capture().rows(),
            bounds=self._settled.live_bounds(replay_from[0], newest),
            resolved=tuple(known) if self._rules.remember_what_is_resolved else (),
            replay_from=replay_from,
            claim_offset=claim_offset,
        )
        return Snapshot(state, things_a_step)

    def forget_bounds(self, log_end: int) -> None:
        """Drop what no reader of the log will ask for."""
        self._settled.forget_bounds(self._replay_from(log_end)[0])

    def _replay_from(self, log_end: int) -> tuple[int, int, Claim | None]:
        """Where a reader begins, and the claim that was current there."""
        return self._settled.replay_from(self._named(), log_end)

    def _named(self) -> Iterator[int]:
        """Where decisions stand in the log that name records at or above the acknowledged offsets."""
        return chain(self._holds.log_offsets(), self._carry_out.log_offsets())
