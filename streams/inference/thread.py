"""The one thread that a device's model lives on.

A forward on the event loop stalls it for tens of milliseconds, on a thread of its own for 0.1. The thread is a
daemon: a model that hangs must not keep the process from ending.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from streams.timing import Clock, SystemClock
from syncline.errors import SynclineError

R = TypeVar("R")
Deliver = Callable[[Any, BaseException | None], None]


class ModelThreadError(SynclineError):
    """The model's thread has ended, so nothing can be run on it."""


class ModelThread:
    """Runs calls one after the other on one thread; each caller awaits its own."""

    def __init__(self, name: str = "model", clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Deliver] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._began_s: float | None = None

    def start(self) -> None:
        """Start the thread; it may be started once."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def busy_s(self) -> float:
        """For how long the call on the thread has been running; 0 when it has none."""
        began_s = self._began_s  # the thread may set it to None meanwhile
        return 0.0 if began_s is None else self._clock.now_s() - began_s

    async def call(self, work: Callable[[], R]) -> R:
        """What `work()` returns or raises on the thread. Raises `ModelThreadError` where the thread has ended.

        A caller that is cancelled leaves `work` running; its result is dropped.
        """
        if not self.is_alive:
            raise ModelThreadError("the model's thread has ended")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()

        def settle(result: R, error: BaseException | None) -> None:
            if answer.done():  # the caller has gone
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(_catchable(error))

        def deliver(result: R, error: BaseException | None) -> None:
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:  # the loop was closed while the model ran: nobody is there to be told
                return

        self._calls.put((work, deliver))
        return await answer

    def stop(self, limit_s: float = 5.0) -> bool:
        """End the thread after the calls that are queued; False if it still runs after `limit_s`."""
        self._calls.put(None)
        if self._thread.ident is not None:
            self._thread.join(limit_s)
        return not self.is_alive

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            work, deliver = call
            self._began_s = self._clock.now_s()
            result, error = None, None
            try:
                result = work()
            except BaseException as raised:
                error = raised
            self._began_s = None
            deliver(result, error)
            del work, deliver, call, result, error  # an idle thread holds no batch and no traceback


def _catchable(error: BaseException) -> Exception:
    """A model that calls `sys.exit` or is interrupted has failed; it does not end the event loop."""
    return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else RuntimeError(repr(error))
