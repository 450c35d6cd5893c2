"""What a worker needs of its process: event loop, signals, logging to stderr, exit."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable

from streams.settings import WorkerSettings
from streams.worker import Worker
from syncline.fetched import MAX_UNPACKED_BYTES, read_any_batch

log = logging.getLogger(__name__)

SWITCH_INTERVAL_S = 0.001
"""With decode threads at work, Python's default of 5 ms is what the event loop waits for its turn."""
_TALKATIVE = ("faust", "mode", "aiokafka", "streams.kafka.delivery", "streams.kafka.app")
"""Loggers of Faust's services, those that we derive included, whose every start and stop is news to nobody."""


def run_worker(settings: WorkerSettings) -> None:
    """Run one worker in this process until SIGTERM or Ctrl-C; a second one ends it at once. Raises what ended it."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    # One record of a careless client must not stop its partition.
    read_any_batch(max(MAX_UNPACKED_BYTES, 2 * settings.max_event_bytes))
    _log_to_stderr(settings.log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(settings))


async def _run(settings: WorkerSettings) -> None:
    worker = Worker(settings)

    def on_signal() -> None:
        if worker.stopping:
            log.warning("told to stop twice: ending at once")
            os._exit(1)
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    await worker.run()
    if worker.hangs:
        os._exit(1)


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
