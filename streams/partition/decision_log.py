"""The decision log of one partition number as its owner uses it: claimed, recovered from, appended to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.decisions.owner import PartitionOwner
from streams.decisions.records import Append
from streams.decisions.versions import version_headers
from streams.kafka.log import Entries, LogReader
from streams.partition.parts import Parts
from syncline.contract import DECISIONS
from syncline.errors import BrokerError
from syncline.results import Record
from syncline.topics import MAX_ENTRY_BYTES

log = logging.getLogger(__name__)

RETRY_S = 0.2


class DecisionLog:
    """Does what one owner asks of the log; the owner hears what came of it."""

    def __init__(self, parts: Parts, partition: int, owner: PartitionOwner) -> None:
        self._parts, self._partition, self._owner = parts, partition, owner
        self._topic = parts.settings.topic_prefix + DECISIONS
        self.failing = ""
        """Why nothing can be appended now."""

    async def append(self, append: Append) -> None:
        """Try once; where it fails, the owner asks for it again."""
        try:
            record = Record(DECISIONS, None, append.data, version_headers())
            await self._parts.producer.send(self._topic, self._partition, [record])
        except (KafkaError, BrokerError) as error:
            if not self.failing:
                log.warning("partition %d: appending decisions fails, trying again: %r", self._partition, error)
            hint = f"; {self._topic} must take records of {MAX_ENTRY_BYTES} bytes (max.message.bytes)"
            is_size = isinstance(error, MessageSizeTooLargeError)
            self.failing = f"appending decisions fails: {error!r}{hint if is_size else ''}"
            await asyncio.sleep(RETRY_S)
            self._owner.on_appended(append.number, ok=False, now_ms=self._parts.now_ms())
        else:
            self.failing = ""
            self._owner.on_appended(append.number, ok=True, now_ms=self._parts.now_ms())

    async def claim(self) -> None:
        """Return when the owner's claim is on the broker."""
        while (append := self._owner.take_commands().append) is not None:
            await self.append(append)

    async def recover(self, on_log: Callable[[Entries], None]) -> None:
        """Bring the owner to where the log stands; `on_log` is given what comes after. Tries until the broker answers.

        Raises `NotRecoverableError` and `NewerVersionError`.
        """
        while True:
            try:
                self._parts.tail.follow(self._partition, await self._read(), on_log)
            except KafkaError as error:
                log.warning("partition %d: cannot read the decision log, trying again: %r", self._partition, error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _read(self) -> int:
        """Up to the present end of the log, which is returned."""
        async with self._parts.recoveries, LogReader(self._parts.cluster, self._topic, self._partition) as reader:
            start, end = await reader.bounds()
            recovery = self._owner.recovery(start, end, self._parts.now_ms())
            try:
                request = next(recovery)
                while True:
                    if request.start < request.stop:
                        entries = await reader.read(request.start, request.stop)
                    else:
                        entries = await asyncio.sleep(0, [])
                    request = recovery.send(entries)
            except StopIteration:
                return end
