"""The state at the acknowledged offsets, updated on each acknowledgement and written to the log at intervals.

It tells a successor each lane's watermark. Example: image t=1000 at offset 99 is acknowledged, then a crash; offset 100
has t=500 and must be late, as without the crash. It is the state at the acknowledged offsets, not at the newest item
read: a later watermark would make undecided items late when they are read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from streams.decisions.entries import Claim
from streams.decisions.in_flight import InFlight
from streams.decisions.recovery import Recovered
from streams.decisions.resolved import NOT_NAMED
from streams.join.clocks import Clocks
from streams.join.items import Decision, SetDecision, UnfusedDecision
from streams.join.lane_clock import LaneState
from streams.join.settings import JoinSettings


class CheckpointState:
    """What a successor cannot learn from the records above the acknowledged offsets.

    `clocks` are the lane clocks at the acknowledged offsets; `bounds` maps a stream to the bound of its last decision
    by timeout or pressure; `claims` are those that were current, by their log offset.
    """

    def __init__(self, settings: JoinSettings) -> None:
        self.clocks = Clocks(settings)
        self.bounds: dict[str, int] = {}
        self._bound_at: dict[str, int] = {}
        self.claims: dict[int, Claim] = {}

    def restore(self, recovered: Recovered) -> None:
        """Load the state at the committed offsets: a snapshot, and the items that moved lanes after it."""
        rows: dict[tuple[str, str], LaneState] = {}
        for part in recovered.snapshot or ():
            for row in part.clocks:
                known = rows.setdefault((row.stream, row.lane), row)
                if known is not row:  # a lane with many ids comes in several rows
                    both = known.recent + row.recent
                    rows[row.stream, row.lane] = msgspec.structs.replace(known, recent=both)
            self.bounds |= part.bounds
        self.clocks.restore(rows.values())
        for item in recovered.checkpoint:
            self.clocks.move(item)

    def advance(self, in_flight: InFlight) -> dict[str, int]:
        """Acknowledge what is resolved without a gap; return by moved topic the next offset to read after a restart."""
        moved: dict[str, int] = {}
        for hold in in_flight.topics.values():
            before = hold.acknowledged
            for item in hold.advance():
                self.clocks.move(item)
            if hold.acknowledged > before:
                moved[hold.topic] = hold.acknowledged
        return moved

    def bind(self, decision: Decision, log_offset: int) -> None:
        """Store the bound of a confirmed decision by timeout or pressure."""
        if isinstance(decision, SetDecision | UnfusedDecision) and decision.bound_ms:
            stream = decision.stream if isinstance(decision, SetDecision) else decision.item.stream
            self.bounds[stream] = max(decision.bound_ms, self.bounds.get(stream, decision.bound_ms))
            self._bound_at[stream] = log_offset

    def copy_clocks(self) -> Clocks:
        """Copy the clocks for a join that begins at the acknowledged offsets; they share memory until `forget_join`."""
        self.clocks.twin = clocks = self.clocks.copy()
        return clocks

    def forget_join(self) -> None:
        """Stop sharing memory with the copied clocks, whose join has ended."""
        self.clocks.twin = None

    def forget_bounds(self, replay_from: int, newest: Clocks | None = None) -> None:
        """Drop bounds of streams that neither these clocks nor the join's `newest` remember.

        Bounds from `replay_from` on stay: after a crash their records come again, and no clock may know them yet.
        """
        for _ in self.live_bounds(replay_from, newest):
            pass

    def live_bounds(self, replay_from: int, newest: Clocks | None = None) -> Iterator[tuple[str, int]]:
        """Yield the present bounds, to be read in steps; drop those that are no longer needed on the way."""
        clocks = (self.clocks,) if newest is None else (self.clocks, newest)
        return self._live_bounds(list(self.bounds.items()), replay_from, clocks)

    def _live_bounds(
        self, bounds: list[tuple[str, int]], replay_from: int, clocks: tuple[Clocks, ...]
    ) -> Iterator[tuple[str, int]]:
        for stream, bound_ms in bounds:
            is_new = self._bound_at.get(stream, -1) >= replay_from
            if is_new or any(one.remembers(stream) for one in clocks):
                yield stream, bound_ms
            else:
                self.bounds.pop(stream, None)
                self._bound_at.pop(stream, None)

    def replay_from(self, named: Iterable[int], next_offset: int) -> tuple[int, int, Claim | None]:
        """Return where the reader of a snapshot begins, and the offset and content of the claim current there.

        `named` are the log offsets of decisions on records at or above the acknowledged offsets. Older claims are
        dropped.
        """
        oldest = min((offset for offset in named if offset != NOT_NAMED), default=next_offset)
        claim_offset = max((offset for offset in self.claims if offset < oldest), default=-1)
        self.claims = {offset: claim for offset, claim in self.claims.items() if offset >= claim_offset}
        return oldest, claim_offset, self.claims.get(claim_offset)
