"""What a worker needs of its process: event loop, signals, logging to stderr, exit."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import suppress

from streams.settings import WorkerSettings
from streams.stopping import Signals, end_process
from streams.worker import Worker
from syncline.errors import SynclineError

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.001
"""With decode threads at work, Python's default of 5 ms is what the event loop waits for its turn."""
_TALKATIVE = ("faust", "mode", "aiokafka", "streams.kafka.delivery", "streams.kafka.polling", "streams.kafka.app")
"""Loggers of Faust's services, those that we derive included, whose every start and stop is news to nobody."""


def run_worker(settings: WorkerSettings) -> bool:
    """Run one worker in this process until SIGTERM or Ctrl-C; a second one ends it at once. Raises what ended it.

    False where not all could be carried out before its end; what is left is in the log.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _log_to_stderr(settings.log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(settings))


async def _run(settings: WorkerSettings) -> bool:
    worker, loop = Worker(settings), asyncio.get_running_loop()

    def stop() -> None:
        with suppress(RuntimeError):  # the loop has ended, and the worker before it
            loop.call_soon_threadsafe(worker.stop)

    Signals(worker.deadline, stop, worker.ending.undone).install()
    try:
        await worker.run()
    except Exception as error:
        if worker.ending.hangs:
            log.error("%s", error)
            end_process(error.exit_code if isinstance(error, SynclineError) else 1)
        raise
    left = worker.ending.undone()
    for what in left:
        log.warning("stopped, though %s", what)
    log.info("stopped in %.1f s", worker.deadline.spent_s)
    if worker.ending.hangs:
        end_process(1 if left else 0)
    return not left


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # where it does not exist, asyncio's own does
        return None
    return uvloop.new_event_loop


def _log_to_stderr(level: str) -> None:
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level.upper(), stream=sys.stderr, format=form, force=True)
    if level != "debug":
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
