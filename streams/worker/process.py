"""A worker's process: event loop, signals, logging to stderr, exit."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from streams.settings import WorkerSettings
from streams.worker.log_limit import LimitedStderr
from streams.worker.shutdown import Signals, end_process
from streams.worker.worker import Worker
from syncline.errors import SynclineError

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.001
"""While decode threads work, the event loop waits this long for the GIL; Python's default is 5 ms."""
_TALKATIVE = (
    "faust",
    "mode",
    "aiokafka",
    "streams.kafka.batch_consumer",
    "streams.kafka.consumer_thread",
    "streams.kafka.app",
)
"""Loggers of Faust's services and our subclasses, which log every start and stop."""


def run_worker(settings: WorkerSettings) -> NoReturn:
    """Run one worker until SIGTERM or Ctrl-C, then end this process; a second signal ends it at once.

    Exit code 0: all work is done. 1: some is not, and the log says what; or an unexpected error. Otherwise that of the
    `SynclineError` that ended it, whose line is the last on stderr.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _log_to_stderr(settings.log_level)
    # Close neither the loop nor the interpreter: that takes up to 8 s with torch, and waits for whatever hangs.
    end_process(asyncio.Runner(loop_factory=_loop_factory()).run(_run(settings)))


async def _run(settings: WorkerSettings) -> int:
    try:
        return await _work(settings)
    except SynclineError as error:
        sys.stderr.write(error.line + "\n")
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1


async def _work(settings: WorkerSettings) -> int:
    worker, loop = Worker(settings), asyncio.get_running_loop()

    def stop() -> None:
        with suppress(RuntimeError):  # the loop has ended, as has the worker
            loop.call_soon_threadsafe(worker.stop)

    Signals(worker.deadline, stop, worker.ending.undone).install()
    await worker.run()
    left = worker.ending.undone()
    for what in left:
        log.warning("stopped, though %s", what)
    log.info("stopped in %.1f s", worker.deadline.spent_s)
    return 1 if left else 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not available on this platform: use asyncio's own
        return None
    return uvloop.new_event_loop


def _log_to_stderr(level: str) -> None:
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level.upper(), handlers=[LimitedStderr()], format=form, force=True)
    if level != "debug":
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
