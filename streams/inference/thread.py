"""The model's own thread.

A forward pass on the event loop would block it for tens of ms; on a thread it costs the loop 0.1 ms. The thread is a
daemon, so that a hanging model does not keep the process from ending.
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
    """The model's thread has ended and cannot run anything."""


class ModelThread:
    """Runs calls one after the other on one thread; callers await their results."""

    def __init__(self, name: str = "model", clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Deliver] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._began_s: float | None = None

    def start(self) -> None:
        """Start the thread. Call it once."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def busy_s(self) -> float:
        """How long the present call has been running, s; 0 without one."""
        began_s = self._began_s  # the thread may set it to None meanwhile
        return 0.0 if began_s is None else self._clock.now_s() - began_s

    async def call(self, work: Callable[[], R]) -> R:
        """Run `work()` on the thread and return its result. Raises its error, or `ModelThreadError`.

        If the caller is cancelled, `work` runs on and its result is dropped.
        """
        if not self.is_alive:
            raise ModelThreadError("the model's thread has ended")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()

        def settle(result: R, error: BaseException | None) -> None:
            if answer.done():  # the caller was cancelled
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(_catchable(error))

        def deliver(result: R, error: BaseException | None) -> None:
            try:
                loop.call_soon_threadsafe(settle, result, error)
            except RuntimeError:  # the loop was closed while the model ran
                return

        self._calls.put((work, deliver))
        return await answer

    def stop(self, limit_s: float = 5.0) -> bool:
        """End the thread after its queued calls; return False if it still runs after `limit_s`."""
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
            del work, deliver, call, result, error  # an idle thread must not keep a batch or a traceback alive


def _catchable(error: BaseException) -> Exception:
    """Turn a model's `sys.exit` or interrupt into a failure, so that it does not end the event loop."""
    return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else RuntimeError(repr(error))
