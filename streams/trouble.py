"""What does not work now: said once when it begins and once when it ends, however long it lasts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable


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
