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

    __slots__ = ("_high", "_holder", "_since_ms", "stable")

    def __init__(self) -> None:
        self.stable = self._high = 0
        """The last stable offset: where the first open transaction begins."""
        self._since_ms: int | None = None
        self._holder: str | None = None

    def look(self, *, stable: int, high: int, position: int, now_ms: int) -> None:
        """The last stable offset and the high watermark of now; `position` is the next offset to be read."""
        if high <= stable or position < stable:
            self._since_ms = None
        elif self._since_ms is None or stable != self.stable:
            self._since_ms, self._holder = now_ms, None
        self.stable, self._high = stable, high

    def is_unnamed(self, now_ms: int) -> bool:
        """Whether it is told of, and nobody has said yet whose transaction it is."""
        return bool(self.say(now_ms)) and self._holder is None

    def name(self, holder: str | None) -> None:
        """Whose transaction it is, in words; "" where that is not to be known, None where it must be asked again."""
        self._holder = holder

    def say(self, now_ms: int) -> str:
        """What is held back, by what and for how long; "" where nothing is, or not for long."""
        if self._since_ms is None or now_ms - self._since_ms < TELL_AFTER_MS:
            return ""
        of = f" of {self._holder}" if self._holder else ""
        return (
            f"an open transaction{of} holds back {self._high - self.stable} offsets from {self.stable} on, for "
            f"{(now_ms - self._since_ms) // 1_000} s; they are read when its producer commits or aborts it, or its "
            "transaction timeout is over"
        )
