"""Which share of the last half minute something was busy, from a total that only grows. Pure."""

from __future__ import annotations

from collections import deque

WINDOW_S = 30.0


class BusyShare:
    """Fed with the total every now and then; the share is over what it was fed in the last `WINDOW_S`."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def look(self, now_s: float, busy_s: float) -> None:
        """The total is `busy_s` at `now_s`."""
        self._seen.append((now_s, busy_s))
        while len(self._seen) > 2 and self._seen[1][0] <= now_s - WINDOW_S:
            self._seen.popleft()

    @property
    def share(self) -> float:
        """In [0, 1]; 0 before two looks."""
        if len(self._seen) < 2 or self._seen[-1][0] <= self._seen[0][0]:
            return 0.0
        (from_s, before_s), (to_s, after_s) = self._seen[0], self._seen[-1]
        return min(1.0, max(0.0, (after_s - before_s) / (to_s - from_s)))
