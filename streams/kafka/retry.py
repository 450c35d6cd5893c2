"""Retries: how long to wait, and one log line when trouble begins and one when it ends."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable


class Backoff:
    """Exponential back-off with jitter, so that many clients do not retry at once.

    first_s, most_s: the first and the longest wait, s. draw: returns a number in [0, 1); each wait is between half and
    all of the back-off.
    """

    def __init__(self, first_s: float, most_s: float, draw: Callable[[], float] = random.random) -> None:
        self._first_s, self._most_s, self._draw = first_s, most_s, draw
        self._n_failures = 0

    def next_s(self) -> float:
        """Return how long to wait after another failure, s."""
        due_s = min(self._most_s, self._first_s * 2 ** min(self._n_failures, 32))
        self._n_failures += 1
        return due_s * (0.5 + self._draw() / 2)

    def reset(self) -> None:
        """Start over after a success."""
        self._n_failures = 0


class Trouble:
    """Logs when an action starts to fail and when it works again.

    what: the action, as in "WHAT fails". now_s: a monotonic clock, s.
    """

    def __init__(self, log: logging.Logger, what: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self._log, self._what, self._now_s = log, what, now_s
        self._since_s = 0.0
        self.error = ""
        """Why it fails now; "" while it works."""

    def begins(self, error: object) -> None:
        """Note a failure; log the first one."""
        if not self.error:
            self._since_s = self._now_s()
            self._log.warning("%s fails, trying again: %s", self._what, error)
        self.error = str(error)

    def ends(self) -> None:
        """Note a success; log the first one after a failure."""
        if self.error:
            self._log.warning("%s works again, after %.1f s", self._what, self._now_s() - self._since_s)
        self.error = ""
