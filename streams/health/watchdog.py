"""Ends a process that is not live and that nobody restarts for it.

A worker whose event loop stands still, or whose model hangs, keeps its partitions: the consumer's heartbeats come from
a thread of their own. Its streams stand still until the process ends. Kubernetes ends it when /livez fails; docker
compose restarts what has ended, and leaves alone what is merely unhealthy. So it ends itself.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable

from streams.health.stuck import Stuck
from syncline.errors import SynclineError

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
ORDERLY_END_S = 15.0
"""For leaving the group, where the event loop still runs; then the process ends as it is."""
REPORT_LIMIT_S = 2.0


class NotLiveError(SynclineError):
    """This worker has not been live for too long; its successor starts from the decision log."""


class Watchdog:
    """A thread that sees the event loop stand still, and ends the process when it has not been live for `exit_ms`.

    reasons: why it is not live, as the loop found. on_dead: called on the loop, to end the worker in an orderly way.
    stall_ms: a loop that stands still for so long is not live. exit_ms: 0 is never.
    """

    def __init__(
        self,
        reasons: Callable[[], tuple[str, ...]],
        on_dead: Callable[[NotLiveError], None],
        stall_ms: int,
        exit_ms: int,
    ) -> None:
        self._reasons, self._on_dead, self._stall_ms, self._exit_ms = reasons, on_dead, stall_ms, exit_ms
        self._loop = asyncio.get_running_loop()
        self._n_beats = 0
        self._loop_stuck, self._not_live = Stuck(), Stuck()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def beat(self) -> None:
        """The event loop runs."""
        self._n_beats += 1

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            now_ms = int(time.monotonic() * 1_000)
            stalled_ms = self._loop_stuck.look(has_work=True, progress=self._n_beats, now_ms=now_ms)
            stalled = stalled_ms > self._stall_ms
            why = f"the event loop has stood still for {stalled_ms / 1_000:.0f} s" if stalled else ""
            why = why or "; ".join(self._reasons())
            not_live_ms = self._not_live.look(has_work=bool(why), progress=True, now_ms=now_ms)
            if 0 < self._exit_ms < not_live_ms:
                self._end(NotLiveError(f"this worker is not live: {why}"), orderly=not stalled)
                return

    def _end(self, error: NotLiveError, *, orderly: bool) -> None:
        # On a thread of its own: whoever reads stderr may have stopped reading, and be what the event loop waits for.
        report = threading.Thread(target=self._report, args=[error], daemon=True)
        report.start()
        report.join(REPORT_LIMIT_S)
        if orderly:
            self._loop.call_soon_threadsafe(self._on_dead, error)
            time.sleep(ORDERLY_END_S)  # a process that ends meanwhile takes this thread with it
        os._exit(1)

    def _report(self, error: NotLiveError) -> None:
        log.critical("%s; so it was for %d ms, and it ends, to be started anew; its threads:", error, self._exit_ms)
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
