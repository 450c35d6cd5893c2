"""Whether an open transaction of some producer keeps the records of one topic's partition from being read. Pure.

offsets   0 ........ 40 .............. 55
                     stable            high      read up to 40: what begins there is open, and what others
                                                 have written behind it waits with it
"""

from __future__ import annotations

TELL_AFTER_MS = 5_000
"""Transactions take a while; one that is open for so long, with everything before it read, is told of."""


class HeldBack:
    """Looked at regularly with a topic partition's ends. Times are the caller's monotonic clock."""

    __slots__ = ("_high", "_since_ms", "_stable")

    def __init__(self) -> None:
        self._stable = self._high = 0
        self._since_ms: int | None = None

    def look(self, *, stable: int, high: int, position: int, now_ms: int) -> None:
        """The last stable offset and the high watermark of now; `position` is the next offset to be read."""
        if high <= stable or position < stable:
            self._since_ms = None
        elif self._since_ms is None or stable != self._stable:
            self._since_ms = now_ms
        self._stable, self._high = stable, high

    def say(self, now_ms: int) -> str:
        """What is held back, by what and for how long; "" where nothing is, or not for long."""
        if self._since_ms is None or now_ms - self._since_ms < TELL_AFTER_MS:
            return ""
        return (
            f"an open transaction holds back {self._high - self._stable} offsets from {self._stable} on, for "
            f"{(now_ms - self._since_ms) // 1_000} s; they are read when its producer commits or aborts it, or its "
            "transaction timeout is over"
        )
