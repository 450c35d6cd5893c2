"""One partition number's decision log, as its owner uses it: claim, recover, append."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.decisions.entries import version_headers
from streams.decisions.owner import PartitionOwner
from streams.decisions.records import Append
from streams.kafka.log import Entries, LogReader
from streams.kafka.retry import Backoff, Trouble
from streams.partition.context import WorkerContext
from syncline.errors import BrokerError
from syncline.kafka.topics import MAX_ENTRY_BYTES
from syncline.wire.contract import DECISIONS, MEDIA_TOPICS
from syncline.wire.results import OutgoingRecord

log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_S, MOST_RETRY_S = 0.2, 3.0


class DecisionLog:
    """Reads and appends for one owner, and reports the outcomes to it."""

    def __init__(self, context: WorkerContext, partition: int, owner: PartitionOwner) -> None:
        self._context, self._partition, self._owner = context, partition, owner
        self._topic = context.settings.topic_prefix + DECISIONS
        self._appending = Trouble(log, f"partition {partition}: appending decisions")
        self._recovering = Trouble(log, f"partition {partition}: reading the decision log")
        self._backoff = Backoff(RETRY_S, MOST_RETRY_S)

    @property
    def failing(self) -> str:
        """Why appending fails now; "" if it does not."""
        return f"appending decisions fails: {self._appending.error}" if self._appending.error else ""

    async def append(self, append: Append) -> None:
        """Try once; after a failure the owner asks again."""
        try:
            headers = version_headers(self._context.settings.decision_log_version)
            record = OutgoingRecord(DECISIONS, None, append.data, headers)
            await self._context.producer.send(self._topic, self._partition, [record])
        except (KafkaError, BrokerError) as error:
            hint = f"; {self._topic} must take records of {MAX_ENTRY_BYTES} bytes (max.message.bytes)"
            is_size = isinstance(error, MessageSizeTooLargeError)
            self._appending.begins(f"{error!r}{hint if is_size else ''}")
            await asyncio.sleep(self._backoff.next_s())
            self._owner.on_appended(append.number, ok=False, now_ms=self._context.now_ms())
        else:
            self._appending.ends()
            self._backoff.reset()
            self._owner.on_appended(append.number, ok=True, now_ms=self._context.now_ms())

    async def claim(self) -> None:
        """Append the owner's claim; return when the broker has it."""
        while (append := self._owner.take_commands().append) is not None:
            await self.append(append)

    async def recover(self, on_log: Callable[[Entries], None]) -> None:
        """Recover the owner from the log, and pass later entries to `on_log`. Retries until the broker answers.

        Raises `NotRecoverableError` and `NewerVersionError`.
        """
        end = await self._until_answered(self._read)
        self._context.tail.follow(self._partition, end, on_log)

    async def media_ends(self) -> dict[str, int]:
        """Return the media topics' high watermarks, by topic. Retries until the brokers answer."""
        cluster, prefix = self._context.cluster, self._context.settings.topic_prefix

        async def ask() -> dict[str, int]:
            async with LogReader(cluster, self._topic, self._partition) as reader:
                return await reader.ends_of([prefix + topic for topic in MEDIA_TOPICS])

        ends = await self._until_answered(ask)
        return {topic: ends[prefix + topic] for topic in MEDIA_TOPICS}

    async def _until_answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                answer = await ask()
            except KafkaError as error:
                self._recovering.begins(repr(error))
                await asyncio.sleep(self._backoff.next_s())
            else:
                self._recovering.ends()
                self._backoff.reset()
                return answer

    async def _read(self) -> int:
        """Read up to the present end of the log; return that."""
        async with self._context.recoveries, LogReader(self._context.cluster, self._topic, self._partition) as reader:
            start, end = await reader.bounds()
            recovery = self._owner.recovery(start, end, self._context.now_ms())
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
