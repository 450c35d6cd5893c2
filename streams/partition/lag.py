"""How far the topics of one partition number are behind: in records, and in time. Pure.

asked at      100        200        300 (newest answer)
high water    7          9          14         position 10: 4 records behind, and the oldest of them came after 200,
                                               because all that were there then have been read
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
