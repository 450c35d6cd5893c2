"""The lag of one partition number's topics, in records and in time, and open transactions that hold them up. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MAX_ANSWERS = 128
"""Limit of kept answers; for a longer lag every second one is dropped."""


class Lag(NamedTuple):
    """What has not been read of one topic partition.

    `records`: last stable offset minus position. `age_ms`: upper bound of the oldest one's age on the broker; 0 without
    records.
    """

    records: int
    age_ms: int


class TopicLag:
    """The lag of one topic partition; unknown until the first answer."""

    __slots__ = ("_answers", "_append_ms", "_first_ms", "_high_water", "_known_ms")

    def __init__(self) -> None:
        self._high_water: int | None = None
        self._answers: deque[tuple[int, int]] = deque()
        self._first_ms: int | None = None
        self._known_ms: int | None = None
        self._append_ms: int | None = None

    def answered(self, high_water: int, asked_ms: int) -> None:
        """Take the broker's high watermark, asked for at `asked_ms` of a monotonic clock."""
        while self._answers and self._answers[-1][0] >= high_water:
            self._answers.pop()  # of two equal answers the newer tells more
        self._high_water = high_water
        self._first_ms = asked_ms if self._first_ms is None else self._first_ms
        self._answers.append((high_water, asked_ms))
        if len(self._answers) > MAX_ANSWERS:
            self._answers = deque(list(self._answers)[::2])

    def read(self, append_ms: int) -> None:
        """Note that the last read record was appended at `append_ms` of the broker's clock."""
        self._append_ms = append_ms

    def at(self, position: int, now_ms: int, wall_ms: int) -> Lag | None:
        """Return the lag of a reader at `position`; None before the first answer.

        now_ms: the clock of `answered`. wall_ms: ms since 1970, to compare with append times.
        """
        if self._high_water is None or self._first_ms is None:
            return None
        while self._answers and self._answers[0][0] <= position:
            self._known_ms = self._answers.popleft()[1]
        n_behind = self._high_water - position
        if n_behind <= 0:
            return Lag(0, 0)
        # Two bounds of the oldest record's age; without either it is at least as old as the first question.
        bounds = [] if self._known_ms is None else [now_ms - self._known_ms]
        if self._append_ms is not None:
            bounds.append(wall_ms - self._append_ms)
        return Lag(n_behind, max(0, min(bounds, default=now_ms - self._first_ms)))


TELL_AFTER_MS = 5_000
"""Report a transaction that is open for so long, with everything before it read."""


class HeldBack:
    """Detects an open transaction that holds up a topic partition. Times are the caller's monotonic clock."""

    __slots__ = ("_high", "_holder", "_since_ms", "stable")

    def __init__(self) -> None:
        self.stable = self._high = 0
        """The last stable offset, where the first open transaction begins."""
        self._since_ms: int | None = None
        self._holder: str | None = None

    def look(self, *, stable: int, high: int, position: int, now_ms: int) -> None:
        """Take the present last stable offset and high watermark; `position` is the next offset to read."""
        if high <= stable or position < stable:
            self._since_ms = None
        elif self._since_ms is None or stable != self.stable:
            self._since_ms, self._holder = now_ms, None
        self.stable, self._high = stable, high

    def is_unnamed(self, now_ms: int) -> bool:
        """Tell whether it is reported and the transaction's owner is not known yet."""
        return bool(self.say(now_ms)) and self._holder is None

    def name(self, holder: str | None) -> None:
        """Set the transaction's owner, in words; "" if it cannot be known, None to ask again."""
        self._holder = holder

    def say(self, now_ms: int) -> str:
        """Describe what is held up, by what and for how long; "" if nothing is, or not for long."""
        if self._since_ms is None or now_ms - self._since_ms < TELL_AFTER_MS:
            return ""
        of = f" of {self._holder}" if self._holder else ""
        return (
            f"an open transaction{of} holds back {self._high - self.stable} offsets from {self.stable} on, for "
            f"{(now_ms - self._since_ms) // 1_000} s; they are read when its producer commits or aborts it, or its "
            "transaction timeout is over"
        )


class Behind(NamedTuple):
    """The lag of one topic partition (name without prefix, number); None if unknown."""

    topic: str
    partition: int
    lag: Lag | None
