"""How what fails is tried again: how long to wait before, and what is said of it, once when it begins and once when it
ends.
"""

from __future__ import annotations

import logging
import random
import time
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


class Trouble:
    """One thing that may fail again and again. what: what is done, as in "WHAT fails".

    now_s: a monotonic clock, in seconds. Empty `error`: all is well.
    """

    def __init__(self, log: logging.Logger, what: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self._log, self._what, self._now_s = log, what, now_s
        self._since_s = 0.0
        self.error = ""
        """Why it fails now."""

    def begins(self, error: object) -> None:
        """It failed, perhaps not for the first time."""
        if not self.error:
            self._since_s = self._now_s()
            self._log.warning("%s fails, trying again: %s", self._what, error)
        self.error = str(error)

    def ends(self) -> None:
        """It worked, perhaps as always."""
        if self.error:
            self._log.warning("%s works again, after %.1f s", self._what, self._now_s() - self._since_s)
        self.error = ""
