"""How long to wait before something that fails is tried again. Pure, but for the dice."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Twice as long after each failure, up to a limit, and a little at random, so that many do not come back at once.

    first_s, most_s: seconds. draw: a number in [0, 1); each wait is between half of what is due and all of it.
    """

    def __init__(self, first_s: float, most_s: float, draw: Callable[[], float] = random.random) -> None:
        self._first_s, self._most_s, self._draw = first_s, most_s, draw
        self._n_failures = 0

    def next_s(self) -> float:
        """How long to wait after one more failure, in seconds."""
        due_s = min(self._most_s, self._first_s * 2 ** min(self._n_failures, 32))
        self._n_failures += 1
        return due_s * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        """It has succeeded: the next failure is a first one."""
        self._n_failures = 0
