"""How far the topics of one partition number are behind, in records and in time, and whether an open transaction holds
them back. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MAX_ANSWERS = 128
"""So many answers are kept; where a topic is behind for longer, every second one is forgotten."""


class Lag(NamedTuple):
    """What of one topic's partition has not been read.

    `records`: last stable offset minus position. `age_ms`: the oldest of them has been on the broker for at most so
    long; 0 where there are none.
    """

    records: int
    age_ms: int


class TopicLag:
    """How far one topic's partition is behind; unknown until the first answer."""

    __slots__ = ("_answers", "_append_ms", "_first_ms", "_high_water", "_known_ms")

    def __init__(self) -> None:
        self._high_water: int | None = None
        self._answers: deque[tuple[int, int]] = deque()
        self._first_ms: int | None = None
        self._known_ms: int | None = None
        self._append_ms: int | None = None

    def answered(self, high_water: int, asked_ms: int) -> None:
        """The broker's high watermark, asked for at `asked_ms` of a monotonic clock."""
        while self._answers and self._answers[-1][0] >= high_water:
            self._answers.pop()  # nothing came since: of two answers that say the same, the newer says more
        self._high_water = high_water
        self._first_ms = asked_ms if self._first_ms is None else self._first_ms
        self._answers.append((high_water, asked_ms))
        if len(self._answers) > MAX_ANSWERS:
            self._answers = deque(list(self._answers)[::2])

    def read(self, append_ms: int) -> None:
        """The record that was read last was appended at `append_ms` (of the broker's clock)."""
        self._append_ms = append_ms

    def at(self, position: int, now_ms: int, wall_ms: int) -> Lag | None:
        """The lag of a reader whose next offset is `position`; None where the broker has not answered yet.

        now_ms: the clock of `answered`. wall_ms: milliseconds since 1970, for the comparison with append times.
        """
        if self._high_water is None or self._first_ms is None:
            return None
        while self._answers and self._answers[0][0] <= position:
            self._known_ms = self._answers.popleft()[1]
        n_behind = self._high_water - position
        if n_behind <= 0:
            return Lag(0, 0)
        # Two bounds for the age of the oldest; where neither is known, it is as old as the first question, or older.
        bounds = [] if self._known_ms is None else [now_ms - self._known_ms]
        if self._append_ms is not None:
            bounds.append(wall_ms - self._append_ms)
        return Lag(n_behind, max(0, min(bounds, default=now_ms - self._first_ms)))


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


class Behind(NamedTuple):
    """How far one topic's partition (unprefixed name, number) is behind; None where it is not known."""

    topic: str
    partition: int
    lag: Lag | None
