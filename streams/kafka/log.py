"""Reads the decision log: backwards in chunks for recovery, then its tail as it grows.

Its consumers have no group. They read below the high watermark, so what they read is replicated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.decisions.entries import HEADER, LogRecord
from streams.kafka.retry import Backoff, Trouble
from syncline.kafka.client import FETCH_MAX_WAIT_MS, start_consumer, stop_consumer
from syncline.kafka.cluster import Cluster
from syncline.kafka.routines import revive, unless_ended

log = logging.getLogger(__name__)

Entries = list[LogRecord]
"""In offset order."""
OnEntries = Callable[[Entries], None]

TAIL_POLL_MS = 500
RETRY_S, MOST_RETRY_S = 0.2, 3.0


async def _start_consumer(cluster: Cluster) -> Any:
    return await start_consumer(
        cluster,
        enable_auto_commit=False,
        auto_offset_reset="none",  # a deleted log is an error, not an empty log
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        request_timeout_ms=10_000,
    )


class LogReader:
    """Reads spans of one partition of the log; an async context manager. Raises `KafkaError`."""

    def __init__(self, cluster: Cluster, topic: str, partition: int) -> None:
        self._cluster, self._tp = cluster, TopicPartition(topic, partition)
        self._consumer: Any = None

    async def __aenter__(self) -> LogReader:
        self._consumer = await _start_consumer(self._cluster)
        self._consumer.assign([self._tp])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await stop_consumer(self._consumer)

    async def bounds(self) -> tuple[int, int]:
        """Return the log's first offset and the next one to be written."""
        start = await unless_ended(self._consumer, self._consumer.beginning_offsets([self._tp]))
        end = await unless_ended(self._consumer, self._consumer.end_offsets([self._tp]))
        return start[self._tp], end[self._tp]

    async def ends_of(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the next offset to be written of other topics (full names), in this partition number."""
        tps = {TopicPartition(topic, self._tp.partition): topic for topic in topics}
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(list(tps))
        return {topic: ends[tp] for tp, topic in tps.items()}

    async def read(self, start: int, stop: int) -> Entries:
        """Return all entries with start <= offset < stop."""
        entries: Entries = []
        self._consumer.seek(self._tp, start)
        while await self._consumer.position(self._tp) < stop:
            revive(self._consumer)
            batches = await self._consumer.getmany(self._tp, timeout_ms=1_000)
            entries += [_log_record(record) for record in batches.get(self._tp, ()) if record.offset < stop]
        return entries


class LogTail:
    """Follows the log of all owned partitions with one consumer."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster, self._topic = cluster, topic
        self._consumer: Any = None
        self._followed: dict[int, OnEntries] = {}
        self._next: dict[int, int] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble = Trouble(log, "reading the decision log")
        self._backoff = Backoff(RETRY_S, MOST_RETRY_S)

    @property
    def failing(self) -> str:
        """Why the log cannot be read; "" if it can."""
        return self._trouble.error

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The reading task; it ends when cancelled or by an unexpected error."""
        return self._task

    async def start(self) -> None:
        """Start reading; waits for a broker that is away."""
        self._task = asyncio.create_task(self._read(), name="log-tail")

    async def stop(self) -> None:
        """Stop reading and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._consumer is not None:
            await stop_consumer(self._consumer)

    def follow(self, partition: int, start: int, on_entries: OnEntries) -> None:
        """Pass every entry of `partition` from offset `start` on to `on_entries`, as it appears."""
        self._followed[partition], self._next[partition] = on_entries, start
        self._changed.set()

    def leave(self, partition: int) -> None:
        """Stop following `partition`."""
        if self._followed.pop(partition, None) is not None:
            self._changed.set()

    async def _connect(self) -> None:
        while self._consumer is None:
            try:
                self._consumer = await _start_consumer(self._cluster)
            except KafkaError as error:
                await self._fails(error)
        self._trouble.ends()

    async def _fails(self, error: KafkaError) -> None:
        self._trouble.begins(repr(error))
        await asyncio.sleep(self._backoff.next_s())

    async def _read(self) -> None:
        await self._connect()
        while True:
            self._changed.clear()
            tps = [TopicPartition(self._topic, partition) for partition in self._followed]
            self._consumer.assign(tps)
            for tp in tps:
                self._consumer.seek(tp, self._next[tp.partition])
            await self._poll_until_changed(bool(tps))

    async def _poll_until_changed(self, anything: bool) -> None:
        changed = asyncio.create_task(self._changed.wait(), name="log-tail: what is followed")
        polling: asyncio.Task[Any] | None = None
        try:
            while anything and not changed.done():
                if ended := revive(self._consumer):
                    log.warning("reading the decision log: %s; restarted", ended)
                polling = asyncio.create_task(self._consumer.getmany(timeout_ms=TAIL_POLL_MS), name="log-tail: poll")
                await asyncio.wait([polling, changed], return_when=asyncio.FIRST_COMPLETED)
                if polling.done():
                    await self._hand_out(polling)
            await changed
        finally:
            # Seek back over what a poll drained and did not hand out.
            unfinished = [task for task in (changed, polling) if task is not None and not task.done()]
            for task in unfinished:
                task.cancel()
            if unfinished:
                await asyncio.wait(unfinished)

    async def _hand_out(self, polling: asyncio.Task[Any]) -> None:
        try:
            batches = polling.result()
        except KafkaError as error:
            await self._fails(error)
            return
        self._trouble.ends()
        self._backoff.reset()
        for tp, records in batches.items():
            on_entries = self._followed.get(tp.partition)
            if on_entries is not None:
                self._next[tp.partition] = records[-1].offset + 1
                on_entries([_log_record(record) for record in records])


def _log_record(record: Any) -> LogRecord:
    """Convert an aiokafka record; a null value becomes empty, which is a foreign entry."""
    version = next((value or b"" for name, value in record.headers if name == HEADER), None)
    return LogRecord(record.offset, record.value or b"", version)
