"""File descriptors: some are kept for the moment when none is left, and that moment is told.

A process may have so many open files and connections and no more. Then nobody can connect: not the worker to a broker,
not a probe to the worker. What a successor needs to take a partition over, and what tells why it is not ready, must not
depend on one that is free by chance.
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
"""For reading the decision log anew: four partitions at once, of a broker by which we start and some that we find."""
N_FOR_ANSWERING = 2
"""For accepting connections to the health server."""
SAY_AGAIN_S = 60.0


class Spare:
    """File descriptors that are kept open, on nothing, to be closed when one is needed; none before `fill`."""

    def __init__(self, n_wanted: int) -> None:
        self._n_wanted = n_wanted
        self._kept: list[int] = []

    def fill(self) -> bool:
        """Open what is missing; whether that was possible."""
        try:
            while len(self._kept) < self._n_wanted:
                self._kept.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return False
        return True

    def give(self, n_given: int = 1) -> None:
        """Close some, for somebody who is about to open as many."""
        for _ in range(min(n_given, len(self._kept))):
            os.close(self._kept.pop())


class Descriptors:
    """The file descriptors of this process; `look` at them now and then, `close` at the end."""

    def __init__(self) -> None:
        self.for_answering = Spare(N_FOR_ANSWERING)
        self._for_reading = Spare(N_FOR_READING)
        self._n_reading = 0
        self._said_s = float("-inf")
        self.reason = ""
        """That the limit is reached, where it is."""

    def look(self) -> None:
        """Keep again what was given away, and see whether one more is left."""
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
        """Keep none."""
        self.for_answering.give(N_FOR_ANSWERING)
        self._for_reading.give(N_FOR_READING)

    def begin_reading(self) -> None:
        """Somebody is about to connect to the brokers anew; `end_reading` when that is over."""
        self._n_reading += 1
        self._for_reading.give(N_FOR_READING)

    def end_reading(self) -> None:
        """As many ends as beginnings: the last one's are kept again."""
        self._n_reading -= 1
        if not self._n_reading:
            self._for_reading.fill()


class ReadingTurns:
    """So many may read the decision log at once, with connections of their own; an async context manager."""

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
