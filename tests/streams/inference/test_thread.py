"""Laws of the model's thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from streams.inference.thread import ModelThread, ModelThreadError
from tests.support.clock import settle


async def test_a_caller_cancelled_while_the_model_runs_leaves_no_trace() -> None:
    """The thread's answer finds nobody, and no error of the event loop comes of it."""
    troubles: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    thread = ModelThread()
    thread.start()
    began, may_end = threading.Event(), threading.Event()

    def work() -> bool:
        began.set()
        return may_end.wait(10)

    call = asyncio.ensure_future(thread.call(work))
    assert await asyncio.to_thread(began.wait, 10)
    call.cancel()
    await settle()
    may_end.set()
    assert await thread.call(lambda: 5) == 5  # what the thread delivered before has been settled by now
    assert troubles == []
    thread.stop()


async def test_a_thread_that_has_ended_takes_no_calls() -> None:
    """Nobody waits for a thread that is gone."""
    thread = ModelThread()
    thread.start()
    assert await thread.call(lambda: threading.current_thread().name) == "model"
    assert thread.stop()
    with pytest.raises(ModelThreadError, match="has ended"):
        await thread.call(lambda: 1)
