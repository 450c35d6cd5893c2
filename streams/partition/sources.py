"""Notices a second source on one lane of a stream: two clocks and two orders where the join counts on one."""

from __future__ import annotations

from threading import Lock

MAX_LANES = 100_000
"""So many lanes are remembered; beyond, the oldest is forgotten, and a second source on it goes unnoticed."""


class Sources:
    """The source (`ce_source`) that each lane of each stream was last seen with; used by several decode threads."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], str] = {}
        self._lock = Lock()
        self.n_changes = 0
        """How often a lane's record came from another source than the one before it."""

    def changed(self, stream: str, lane: str, source: str) -> str | None:
        """The source that this lane had before, where `source` is another one; else None."""
        key = (stream, lane)
        if self._last.get(key) == source:
            return None
        with self._lock:
            before = self._last.get(key)
            self._last[key] = source
            if len(self._last) > MAX_LANES:
                del self._last[next(iter(self._last))]
            if before is not None:
                self.n_changes += 1
        return before
