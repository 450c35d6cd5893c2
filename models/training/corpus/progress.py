"""Progress on stderr: a line that moves on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from threading import Lock

EVERY_S = 10


class CorpusProgress:
    """Counts steps of one piece of work and says how far it is; safe to call from several threads."""

    def __init__(self, what: str, n_steps: int) -> None:
        self._what, self._n_steps, self._done = what, n_steps, 0
        self._started_s = time.monotonic()
        self._said_s = self._started_s
        self._lock = Lock()

    def step(self) -> None:
        """One step is done."""
        with self._lock:
            self._done += 1
            now_s = time.monotonic()
            every_s = 0.2 if sys.stderr.isatty() else EVERY_S
            if self._done == self._n_steps or now_s - self._said_s >= every_s:
                self._said_s = now_s
                self._say(now_s - self._started_s)

    def _say(self, taken_s: float) -> None:
        left_s = taken_s / self._done * (self._n_steps - self._done)
        line = f"{self._what}: {self._done}/{self._n_steps}, {taken_s:.0f} s, {left_s:.0f} s left"
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K" + line + ("\n" if self._done == self._n_steps else ""))
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
