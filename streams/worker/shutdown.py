"""Ends a worker within one deadline, even if something hangs.

    SIGTERM                                                                          the limit
    |---- carry out what is decided ----|-- commit, leave the group --|- disconnect -|  gone
    0                                  0.6                           0.85          0.95

Each step may also use the time that earlier ones left, and no more: the broker may be away, the model may hang, a
decode thread may be stuck. What was not done is logged and makes the exit code 1.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn

from streams.kafka.app import SynclineApp
from streams.observe.worker_state import WorkerState
from streams.timing import end_tasks

log = logging.getLogger(__name__)

CARRY_OUT_UNTIL, LEAVE_UNTIL, DISCONNECT_UNTIL, GONE_AT = 0.6, 0.85, 0.95, 0.985
"""Shares of the limit; the rest is for the end of the process."""
SAY_LIMIT_S = 1.0
"""Time for the last log lines, s."""
TWICE = b"told to stop twice: ending at once\n"


class ShutdownDeadline:
    """Runs for `limit_s` seconds from `begin`. Thread-safe to read."""

    def __init__(self, limit_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self.limit_s, self._now_s = limit_s, now_s
        self._began_s: float | None = None

    def begin(self) -> None:
        """Start the clock; only the first call counts."""
        if self._began_s is None:
            self._began_s = self._now_s()

    @property
    def spent_s(self) -> float:
        """Seconds since it began; 0 before."""
        return 0.0 if self._began_s is None else self._now_s() - self._began_s

    def left_s(self, until: float = 1.0) -> float:
        """Seconds until this share of the limit is spent, at least 0."""
        return max(0.0, until * self.limit_s - self.spent_s)

    async def wait(self, works: Iterable[Awaitable[Any]], until: float) -> list[asyncio.Task[Any]]:
        """Run these together until they end or this share of the limit is spent; return the unfinished ones.

        Errors are only logged: the process ends anyway.
        """
        tasks = [asyncio.ensure_future(work) for work in works]
        if tasks:
            await asyncio.wait(tasks, timeout=self.left_s(until))
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                log.warning("while stopping: %r", error)
        return [task for task in tasks if not task.done()]


class Signals:
    """Handles SIGTERM and SIGINT: the first stops the worker and starts the clock, the second ends the process.

    `stop` is called in the main thread, between any two of its steps. At the limit the process logs what `left`
    returns and ends, even if its event loop, its model or the interpreter's exit hangs.
    """

    def __init__(self, deadline: ShutdownDeadline, stop: Callable[[], None], left: Callable[[], list[str]]) -> None:
        self._deadline, self._stop, self._left = deadline, stop, left
        self._told = False

    def install(self) -> None:
        """Install the handlers; call it in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        if self._told:
            os.write(2, TWICE)  # logging may be in the middle of a line
            os._exit(1)
        self._told = True
        self._deadline.begin()
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()
        self._stop()

    def _watch(self) -> None:
        time.sleep(self._deadline.left_s(GONE_AT))
        left = self._left()
        _within(SAY_LIMIT_S, lambda: self._say(left))
        end_process(1 if left else 0)

    def _say(self, left: list[str]) -> None:
        for what in left:
            log.error("not done in %.1f s: %s", self._deadline.limit_s, what)


def end_process(code: int) -> NoReturn:
    """Flush logs and streams, then exit at once: no thread is waited for, nothing is torn down."""
    _within(SAY_LIMIT_S, _flush)
    os._exit(code)


def _flush() -> None:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed, by us or by the reader
            stream.flush()


def _within(limit_s: float, say: Callable[[], None]) -> None:
    """Run `say` on its own thread for at most `limit_s` seconds: a reader of stderr that stopped would block it."""
    saying = threading.Thread(target=say, name="last words", daemon=True)
    saying.start()
    saying.join(limit_s)


CARRY_OUT = "not all decisions were carried out"
COMMIT = "not all resolved records were committed: some results may come twice"
LEAVE = "the group was not left: the other workers wait for the session's end"


class Shutdown:
    """Ends one worker. `closers` disconnect what was started; they may hang."""

    def __init__(self, deadline: ShutdownDeadline, state: WorkerState) -> None:
        self._deadline, self._state = deadline, state
        self._to_do: list[str] = []
        self.closers: list[Callable[[], Awaitable[None]]] = []

    def begins_to_work(self) -> None:
        """Note that there will be decisions to carry out, offsets to commit and a group to leave."""
        self._to_do = [CARRY_OUT, COMMIT, LEAVE]

    def undone(self) -> list[str]:
        """Return what is not done yet, in words. Thread-safe."""
        return [*self._state.manager.left, *self._to_do]

    async def stop_working(self, app: SynclineApp, joining: asyncio.Task[Any]) -> None:
        """Stop reading, carry out decisions, commit, leave the group; `joining` is the application's start."""
        self._deadline.begin()
        self._state.starting = "stopping"
        if self._state.broken is None:
            log.info("stopping: carrying out decisions")
            await self._execution(app)
        self._state.manager.stop()
        hanging = await self._deadline.wait([app.stop()], LEAVE_UNTIL)
        if not hanging and self._has_left(app):
            self._to_do.remove(LEAVE)
        await self._deadline.wait([end_tasks([joining])], DISCONNECT_UNTIL)

    async def _execution(self, app: SynclineApp) -> None:
        await self._state.manager.close(self._deadline.left_s(CARRY_OUT_UNTIL))
        self._to_do.remove(CARRY_OUT)  # the partition manager lists what was not
        if await app.batches.commit_all(self._deadline.left_s(LEAVE_UNTIL)):
            self._to_do.remove(COMMIT)

    def _has_left(self, app: SynclineApp) -> bool:
        if not app.batches.is_member:
            return True
        if self._state.manager.n_assignments:
            return False
        # The join request is unanswered, and only its answer names the member that could leave.
        log.info("stopped while joining the group: the other workers may wait for its session's end")
        return True

    async def disconnect(self, starting: asyncio.Task[Any], pool: ThreadPoolExecutor) -> None:
        """Close everything at once; what hangs ends with the process."""
        self._deadline.begin()
        self._state.manager.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        works = [end_tasks([starting]), *(close() for close in self.closers)]
        await self._deadline.wait(works, DISCONNECT_UNTIL)
