"""Reading the decision log: backwards in chunks for recovery, then its tail as it grows.

Consumers of our own without a group; they read below the high watermark, so what they read is replicated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.decisions.entries import LogRecord
from streams.decisions.versions import HEADER
from syncline.cluster import Cluster
from syncline.fetched import read_any_batch
from syncline.kafka import FETCH_MAX_WAIT_MS, stop_consumer

log = logging.getLogger(__name__)

Entries = list[LogRecord]
"""In offset order."""
OnEntries = Callable[[Entries], None]

TAIL_POLL_MS = 500
RETRY_S = 0.2


def _consumer(cluster: Cluster) -> Any:
    consumer: Any = AIOKafkaConsumer(
        **cluster.client_options(),
        enable_auto_commit=False,
        auto_offset_reset="none",  # a log that was deleted is an error, not a log that begins anew
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        request_timeout_ms=10_000,
    )
    read_any_batch(consumer)
    return consumer


class LogReader:
    """Reads stretches of one partition of the log; an async context manager. Raises `KafkaError`."""

    def __init__(self, cluster: Cluster, topic: str, partition: int) -> None:
        self._consumer = _consumer(cluster)
        self._tp = TopicPartition(topic, partition)

    async def __aenter__(self) -> LogReader:
        try:
            await self._consumer.start()
        except BaseException:
            await stop_consumer(self._consumer)
            raise
        self._consumer.assign([self._tp])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await stop_consumer(self._consumer)

    async def bounds(self) -> tuple[int, int]:
        """The first offset that the log still has, and the next one that it will have."""
        start = await self._consumer.beginning_offsets([self._tp])
        end = await self._consumer.end_offsets([self._tp])
        return start[self._tp], end[self._tp]

    async def ends_of(self, topics: Iterable[str]) -> dict[str, int]:
        """The next offset that this partition number of other topics (full names) will have."""
        tps = {TopicPartition(topic, self._tp.partition): topic for topic in topics}
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(list(tps))
        return {topic: ends[tp] for tp, topic in tps.items()}

    async def read(self, start: int, stop: int) -> Entries:
        """All entries with start <= offset < stop."""
        entries: Entries = []
        self._consumer.seek(self._tp, start)
        while await self._consumer.position(self._tp) < stop:
            batches = await self._consumer.getmany(self._tp, timeout_ms=1_000)
            entries += [_log_record(record) for record in batches.get(self._tp, ()) if record.offset < stop]
        return entries


class LogTail:
    """Follows the log of the partitions that are owned, with one consumer for all."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster, self._topic = cluster, topic
        self._consumer: Any = None
        self._followed: dict[int, OnEntries] = {}
        self._next: dict[int, int] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.failing = ""
        """Why the log cannot be read, where it cannot."""

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that reads; it ends when cancelled, or by an error that nobody foresaw."""
        return self._task

    async def start(self) -> None:
        """Connect and begin; raises `KafkaError`."""
        self._consumer = _consumer(self._cluster)
        await self._consumer.start()
        self._task = asyncio.create_task(self._read(), name="log-tail")

    async def stop(self) -> None:
        """Stop reading and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._consumer is not None:
            await stop_consumer(self._consumer)

    def follow(self, partition: int, start: int, on_entries: OnEntries) -> None:
        """Give every entry of `partition` from offset `start` on to `on_entries`, as it appears."""
        self._followed[partition], self._next[partition] = on_entries, start
        self._changed.set()

    def leave(self, partition: int) -> None:
        """Follow `partition` no longer."""
        if self._followed.pop(partition, None) is not None:
            self._changed.set()

    async def _read(self) -> None:
        while True:
            self._changed.clear()
            tps = [TopicPartition(self._topic, partition) for partition in self._followed]
            self._consumer.assign(tps)
            for tp in tps:
                self._consumer.seek(tp, self._next[tp.partition])
            await self._poll_until_changed(bool(tps))

    async def _poll_until_changed(self, anything: bool) -> None:
        changed = asyncio.create_task(self._changed.wait())
        polling: asyncio.Task[Any] | None = None
        try:
            while anything and not changed.done():
                polling = asyncio.create_task(self._consumer.getmany(timeout_ms=TAIL_POLL_MS))
                await asyncio.wait([polling, changed], return_when=asyncio.FIRST_COMPLETED)
                if polling.done():
                    await self._hand_out(polling)
            await changed
        finally:
            # What a poll has drained and not handed out is sought again.
            unfinished = [task for task in (changed, polling) if task is not None and not task.done()]
            for task in unfinished:
                task.cancel()
            if unfinished:
                await asyncio.wait(unfinished)

    async def _hand_out(self, polling: asyncio.Task[Any]) -> None:
        try:
            batches = polling.result()
        except KafkaError as error:
            if not self.failing:
                log.warning("the decision log cannot be read, trying again: %r", error)
            self.failing = repr(error)
            await asyncio.sleep(RETRY_S)
            return
        self.failing = ""
        for tp, records in batches.items():
            on_entries = self._followed.get(tp.partition)
            if on_entries is not None:
                self._next[tp.partition] = records[-1].offset + 1
                on_entries([_log_record(record) for record in records])


def _log_record(record: Any) -> LogRecord:
    """What counts of one of aiokafka's records; a null value has no bytes, and is none of ours."""
    version = next((value or b"" for name, value in record.headers if name == HEADER), None)
    return LogRecord(record.offset, record.value or b"", version)
