"""Runs one converter for many callers on its own thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from models.interface import Converter, Prepared
from streams.convert.conversion_check import Answer, Refused, check_conversion
from streams.inference.runner import Runner, RunnerSettings
from streams.payload import prepared_bytes
from streams.timing import Clock
from syncline.errors import MediaError, SetFailedError

log = logging.getLogger(__name__)


MAX_PREPARED_BYTES = 64 * 2**20
"""Limit of decoded media waiting for one converter; above it decoding pauses."""
_DECODED_AT_ONCE = 4
"""Limit of concurrent decodings, whose size is unknown before."""


class ConverterRunner(Runner[Converter, Prepared, Answer]):
    """Runs one converter on its own thread.

    Prepares at most as many events as its batcher queues, and not many more bytes than `MAX_PREPARED_BYTES`.
    """

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
        self._decoding = asyncio.Semaphore(_DECODED_AT_ONCE)
        self._prepared_bytes = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def convert(self, data: bytes, content_type: str, language: str | None) -> Answer:
        """Convert one event's media; wait for its turn, and while the converter fails on everything.

        Raises `NoAnswerError` if it was stopped before it answered.
        """
        async with self._room:
            try:
                prepared = await self._prepare(data, content_type, language)
            except MediaError as error:
                return Refused(error.reason, error.detail)
            except MemoryError:
                raise
            except Exception as error:  # the converter's fault; another worker would fail on the same bytes
                log.exception("%s cannot prepare %s", self.model.name, content_type)
                return Refused("model_failed", f"the converter raised {error!r}")
            try:
                return await self.ask(prepared, prepared.cost)
            except SetFailedError as error:
                log.warning("%s fails on one event: %s", self.model.name, error)
                return Refused(error.reason, error.detail)
            finally:
                self._hold(-prepared_bytes(prepared))

    async def _prepare(self, data: bytes, content_type: str, language: str | None) -> Prepared:
        async with self._decoding:
            await self._has_room.wait()
            prepared = await asyncio.get_running_loop().run_in_executor(
                self._pool, self.model.prepare, data, content_type, language
            )
            self._hold(prepared_bytes(prepared))
            return prepared

    def _hold(self, n_bytes: int) -> None:
        self._prepared_bytes += n_bytes
        if self._prepared_bytes < MAX_PREPARED_BYTES:
            self._has_room.set()
        else:
            self._has_room.clear()
