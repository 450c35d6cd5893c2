"""Whether a stream moves on: what is decided of it must not stay at one moment, or creep away from it.

A lane with a clock that stands still opens a set with each of its events, all of the same moment. Each of them may wait
for a lane that is silent; what is later in the stream, and in order behind them, would wait for ever.
"""

from __future__ import annotations

SLOWEST = 0.1
"""Below this share of real time the sets of a stream creep, if not one of them is decided by its watermarks."""


class Pace:
    """How the starts of a stream's sets move on, looked at every `window_ms` of a monotonic clock."""

    __slots__ = ("_began_ms", "_from_ms", "_newest_ms", "_settled", "creeps")

    def __init__(self) -> None:
        self._began_ms: int | None = None
        self._from_ms: int | None = None
        self._newest_ms: int | None = None
        self._settled = False
        self.creeps = False
        """In the last window, no set was decided by the watermarks, and starts hardly moved on."""

    def decided(self, start_ms: int, *, by_watermarks: bool) -> None:
        """A set was decided."""
        self._newest_ms = start_ms if self._newest_ms is None else max(start_ms, self._newest_ms)
        self._from_ms = start_ms if self._from_ms is None else self._from_ms
        if by_watermarks:
            self._settled, self.creeps = True, False

    def look(self, now_ms: int, window_ms: int) -> None:
        """Something of the stream waits."""
        if self._began_ms is None:
            self._began_ms = now_ms
        if now_ms - self._began_ms < window_ms:
            return
        moved_ms = 0 if self._newest_ms is None or self._from_ms is None else self._newest_ms - self._from_ms
        self.creeps = not self._settled and moved_ms < SLOWEST * (now_ms - self._began_ms)
        self._began_ms, self._from_ms, self._settled = now_ms, self._newest_ms, False
