"""Runs one converter for many callers, on a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from models.interface import Converter, Prepared
from streams.clock import Clock
from streams.convert.answers import Answer, Refused, check_conversion
from streams.model.runner import Runner, RunnerSettings
from syncline.errors import MediaError, SetFailedError

log = logging.getLogger(__name__)


class ConverterRunner(Runner[Converter, Prepared, Answer]):
    """One converter on a thread of its own; at most as many events are prepared at once as its batcher queues."""

    def __init__(
        self,
        kind: str,
        load: Callable[[], Converter],
        pool: Executor,
        settings: RunnerSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(load, lambda said, _: check_conversion(said), settings, clock, name=f"convert-{kind}")
        self.kind, self._pool = kind, pool
        self._room = asyncio.Semaphore((settings or RunnerSettings()).batch.max_queued)

    async def convert(self, data: bytes, content_type: str, language: str | None) -> Answer:
        """What becomes of one event's media; waits its turn, and while the converter fails on everything.

        Raises `NoAnswerError` where it was stopped before it answered.
        """
        async with self._room:
            try:
                prepared = await asyncio.get_running_loop().run_in_executor(
                    self._pool, self.model.prepare, data, content_type, language
                )
            except MediaError as error:
                return Refused(error.reason, error.detail)
            except MemoryError:
                raise
            except Exception as error:  # a fault of the converter's; the next worker would meet the same bytes
                log.exception("%s cannot prepare %s", self.model.name, content_type)
                return Refused("model_failed", f"the converter raised {error!r}")
            try:
                return await self.ask(prepared, prepared.cost)
            except SetFailedError as error:
                log.warning("%s fails on one event: %s", self.model.name, error)
                return Refused(error.reason, error.detail)
