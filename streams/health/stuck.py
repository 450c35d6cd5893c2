"""For how long something has had work and has done none of it. Pure.

looks       0     500   1000  1500                  66500  67000       ms
work        yes   yes   yes   yes   (frozen)        yes    yes
progress    7     7     7     7                     7      8
stuck for   0     500   1000  1500                  2500   0
"""

from __future__ import annotations

from collections.abc import Hashable

MAX_STEP_MS = 1_000
"""Time between two looks counts for no more. Where looks are further apart, the whole process stood still, frozen
(SIGSTOP) or short of a processor, and nothing in it could do its work."""


class Stuck:
    """Looked at regularly, more often than every `MAX_STEP_MS`."""

    def __init__(self) -> None:
        self._progress: Hashable = None
        self._looked_ms: int | None = None
        self._stuck_ms = 0

    def look(self, *, has_work: bool, progress: Hashable, now_ms: int) -> int:
        """The time in ms for which there has been work and `progress` has stayed as it is."""
        step_ms = 0 if self._looked_ms is None else min(now_ms - self._looked_ms, MAX_STEP_MS)
        if has_work and self._progress == progress:
            self._stuck_ms += step_ms
        else:
            self._stuck_ms = 0
        self._progress, self._looked_ms = (progress if has_work else None), now_ms
        return self._stuck_ms
