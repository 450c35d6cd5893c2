"""Whether everything that was in a topic's partition at some moment has reached the join.

asked at 100: it reaches to 7         joined: 3 ... 5 ... 7
----|-------------------------------------|------------------>
  asked                               confirmed_ms = 100: all that was there at 100 is in the join

How far a topic reaches is its last stable offset, here called its high watermark, which it is unless a transaction is
open: what stands above can be read by nobody, and nothing waits for it. Offsets that hold no record (marks of
transactions, aborted records, what compaction took) are joined when they are passed.
"""

from __future__ import annotations

from collections import deque

from streams.join.lane_clock import NEVER_MS

BEHIND_AFTER_MS = 500
"""A high watermark that takes longer than this to be reached shows that the partition is not caught up."""

MAX_PENDING = 8


class CatchUp:
    """How far the join is behind one topic's partition. Times are the caller's monotonic clock."""

    __slots__ = ("_joined", "_pending", "confirmed_ms", "last_behind_ms")

    def __init__(self) -> None:
        self._joined = 0
        self._pending: deque[tuple[int, int]] = deque()
        self.confirmed_ms = NEVER_MS
        self.last_behind_ms = NEVER_MS

    def high_water(self, high_water: int | None, asked_ms: int, now_ms: int) -> bool:
        """Take an answer of the broker, None where it gave none; True if this changes a field."""
        self.tick(now_ms)
        if high_water is None:
            self.last_behind_ms = now_ms
            return True
        if len(self._pending) == MAX_PENDING:
            self._pending.pop()  # an older question that is still open says more than a newer one
        self._pending.append((asked_ms, high_water))
        return self._confirm()

    def joined(self, next_offset: int, now_ms: int) -> bool:
        """Every offset below `next_offset` has reached the join; True if this changes a field."""
        self.tick(now_ms)
        self._joined = max(self._joined, next_offset)
        return self._confirm()

    def tick(self, now_ms: int) -> None:
        """Notice that an answer has stayed out of reach for too long."""
        if self._pending and now_ms - self._pending[0][0] > BEHIND_AFTER_MS:
            self.last_behind_ms = now_ms

    def _confirm(self) -> bool:
        changed = False
        while self._pending and self._joined >= self._pending[0][1]:
            asked_ms, _ = self._pending.popleft()
            self.confirmed_ms = max(self.confirmed_ms, asked_ms)
            changed = True
        return changed
