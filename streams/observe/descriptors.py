"""Keeps spare file descriptors, and reports when the process has reached its limit.

At the limit nobody can connect: not the worker to a broker, not a probe to the worker. Taking over a partition and
telling why the worker is not ready must work then too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import time
from types import TracebackType

log = logging.getLogger(__name__)

N_FOR_READING = 16
"""Spares for reading the decision log: four partitions at once, each from a bootstrap broker and some others."""
N_FOR_ANSWERING = 2
"""Spares for connections to the health server."""
SAY_AGAIN_S = 60.0


class Spare:
    """Open but unused file descriptors, to be closed when one is needed. None before `fill`."""

    def __init__(self, n_wanted: int) -> None:
        self._n_wanted = n_wanted
        self._kept: list[int] = []

    def fill(self) -> bool:
        """Open missing ones; return whether that was possible."""
        try:
            while len(self._kept) < self._n_wanted:
                self._kept.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return False
        return True

    def give(self, n_given: int = 1) -> None:
        """Close some for a caller that opens as many."""
        for _ in range(min(n_given, len(self._kept))):
            os.close(self._kept.pop())


class Descriptors:
    """The spare file descriptors of this process. Call `look` regularly and `close` at the end."""

    def __init__(self) -> None:
        self.for_answering = Spare(N_FOR_ANSWERING)
        self._for_reading = Spare(N_FOR_READING)
        self._n_reading = 0
        self._said_s = float("-inf")
        self.reason = ""
        """A message if the limit is reached, else ""."""

    def look(self) -> None:
        """Refill the spares, and check whether one more descriptor is free."""
        kept = self.for_answering.fill() and (self._n_reading > 0 or self._for_reading.fill())
        one_more = Spare(1)
        is_left = kept and one_more.fill()
        one_more.give()
        if is_left:
            self.reason = ""
            return
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.reason = f"all {limit} file descriptors that this process may have are in use: raise the limit (ulimit -n)"
        if time.monotonic() - self._said_s > SAY_AGAIN_S:
            self._said_s = time.monotonic()
            log.error("%s", self.reason)

    def close(self) -> None:
        """Close all spares."""
        self.for_answering.give(N_FOR_ANSWERING)
        self._for_reading.give(N_FOR_READING)

    def begin_reading(self) -> None:
        """Free spares for new connections to the brokers, until `end_reading`."""
        self._n_reading += 1
        self._for_reading.give(N_FOR_READING)

    def end_reading(self) -> None:
        """End one `begin_reading`; the last end refills the spares."""
        self._n_reading -= 1
        if not self._n_reading:
            self._for_reading.fill()


class ReadingTurns:
    """Limits how many readers of the decision log have connections at once; an async context manager."""

    def __init__(self, n_at_once: int, descriptors: Descriptors) -> None:
        self._room, self._descriptors = asyncio.Semaphore(n_at_once), descriptors

    async def __aenter__(self) -> None:
        await self._room.acquire()
        self._descriptors.begin_reading()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._descriptors.end_reading()
        self._room.release()
