"""Sending to Kafka: one producer, batches of our own, and an outbox that keeps each topic's order.

A send of aiokafka's costs about 50 us a record; a batch that we fill ourselves, a few. What waits while one batch
is on its way makes the next one, so that there is no linger to choose.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from streams.decisions.records import Task
from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from syncline.cluster import Cluster
from syncline.contract import DEADLETTER
from syncline.deadletters import shrink_dead_letter
from syncline.kafka import start_producer
from syncline.results import Record

log = logging.getLogger(__name__)

MAX_BATCH_BYTES = 900_000
"""Below the 1 MiB that brokers take by default; a larger single record still goes, alone."""
MAX_REQUEST_BYTES = 64 * 2**20
"""The broker's limit is the one that counts."""
SEND_TIMEOUT_S = 30.0
RETRY_S = 0.2
LEAVE_LIMIT_S = 3.0


class SendStats:
    """What a producer has sent since its start, by full name of the topic."""

    def __init__(self) -> None:
        self.ms: dict[str, Histogram] = {}
        """How long the broker took to acknowledge each batch, times of waiting for it included."""
        self.n_records: Counter[str] = Counter()
        self.n_errors: Counter[str] = Counter()
        """Batches that were not acknowledged; they are sent again."""

    def sent(self, topic: str, n_records: int, ms: float) -> None:
        """A batch was acknowledged."""
        self.n_records[topic] += n_records
        if topic not in self.ms:
            self.ms[topic] = Histogram(LATENCY_BOUNDS_MS)
        self.ms[topic].add(ms)


class Producer:
    """aiokafka's producer: `acks=all`, idempotent where the broker can; one that breaks is replaced."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.stats = SendStats()
        self._producer: Any = None
        self._replacing = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; raises `BrokerError`."""
        self._producer = await start_producer(
            self._cluster, max_batch_size=MAX_BATCH_BYTES, max_request_size=MAX_REQUEST_BYTES, linger_ms=0
        )

    async def stop(self) -> None:
        """Disconnect; what is still on its way is given a few seconds."""
        if self._producer is not None:
            await _leave(self._producer)
        for leaving in list(self._leaving):
            await leaving

    async def send(self, topic: str, partition: int, records: Sequence[Record]) -> int:
        """Send as many of `records` as fit into one batch, return how many when the broker has them.

        topic: full name; what the records say of it is not read. Raises `KafkaError` or `BrokerError`: nothing is
        known then.
        """
        started_s = time.monotonic()
        try:
            n_sent = await self._send(topic, partition, records)
        except Exception:
            self.stats.n_errors[topic] += 1
            raise
        self.stats.sent(topic, n_sent, (time.monotonic() - started_s) * 1_000)
        return n_sent

    async def _send(self, topic: str, partition: int, records: Sequence[Record]) -> int:
        producer = self._producer
        batch, n_taken = producer.create_batch(), 0
        for record in records:
            if batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers) is None:
                break
            n_taken += 1
        batch.close()
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await (await producer.send_batch(batch, topic, partition=partition))
        except TimeoutError as error:
            await self._replace(producer)
            raise KafkaTimeoutError(f"no answer for {SEND_TIMEOUT_S:.0f} s") from error
        except KafkaError as error:
            if not error.retriable:
                await self._replace(producer)
            if isinstance(error, MessageSizeTooLargeError) and n_taken > 1:  # this topic takes less than is usual
                return await self._send(topic, partition, records[: n_taken // 2])
            raise
        return n_taken

    async def _replace(self, broken: Any) -> None:
        # An idempotent producer that has lost a batch can send no further one: its numbers would have a gap.
        async with self._replacing:
            if self._producer is broken:
                await self.start()
                leaving = asyncio.create_task(_leave(broken))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)


async def _leave(producer: Any) -> None:
    try:
        async with asyncio.timeout(LEAVE_LIMIT_S):
            await producer.stop()
    except (TimeoutError, KafkaError) as error:
        log.warning("the producer did not end cleanly: %r", error)


class _Waiting(NamedTuple):
    record: Record
    pending: _Pending


class _Pending:
    __slots__ = ("n_left", "task")

    def __init__(self, task: Task, n_left: int) -> None:
        self.task, self.n_left = task, n_left


class Outbox:
    """Sends what one partition number publishes, each topic in the order in which it was put in.

    A failed send is repeated before anything later of its topic goes. `on_published` is told of tasks all of whose
    records are on the broker, `on_broken` of the end of a task that sends, which nobody foresaw.
    """

    def __init__(
        self,
        producer: Producer,
        prefix: str,
        partition: int,
        on_published: Callable[[list[Task]], None],
        on_broken: Callable[[BaseException], None],
    ) -> None:
        self._producer, self._prefix, self._partition, self._on_published = producer, prefix, partition, on_published
        self._on_broken, self._closed = on_broken, False
        self._queues: dict[str, deque[_Waiting]] = {}
        self._filled: dict[str, asyncio.Event] = {}
        self._senders: list[asyncio.Task[None]] = []
        self.failing: dict[str, str] = {}
        """Topics whose last send failed, and with what."""

    def __bool__(self) -> bool:
        return any(self._queues.values())

    def put(self, task: Task, records: Sequence[Record]) -> None:
        """Queue all that `task` publishes."""
        if not records:
            self._on_published([task])
            return
        pending = _Pending(task, len(records))
        for record in records:
            if record.topic not in self._queues:
                self._open(record.topic)
            self._queues[record.topic].append(_Waiting(record, pending))
            self._filled[record.topic].set()

    def close(self) -> None:
        """Send nothing more; a batch on its way may still arrive."""
        self._closed = True
        for sender in self._senders:
            sender.cancel()

    def _open(self, topic: str) -> None:
        self._queues[topic], self._filled[topic] = deque(), asyncio.Event()
        sender = asyncio.create_task(self._send_all(topic), name=f"outbox-{topic}-{self._partition}")
        sender.add_done_callback(self._on_ended)
        self._senders.append(sender)

    def _on_ended(self, sender: asyncio.Task[None]) -> None:
        error = None if sender.cancelled() else sender.exception()  # taken in any case, or asyncio complains
        if not self._closed:
            self._on_broken(error or RuntimeError(f"{sender.get_name()} was cancelled"))

    async def _send_all(self, topic: str) -> None:
        queue, filled = self._queues[topic], self._filled[topic]
        while True:
            await filled.wait()
            n_sent = await self._send_some(topic, queue)
            published: list[Task] = []
            for _ in range(n_sent):
                pending = queue.popleft().pending
                pending.n_left -= 1
                if not pending.n_left:
                    published.append(pending.task)
            if not queue:
                filled.clear()
            if published:
                self._on_published(published)

    async def _send_some(self, topic: str, queue: deque[_Waiting]) -> int:
        records = [waiting.record for waiting in queue]
        try:
            n_sent = await self._producer.send(self._prefix + topic, self._partition, records)
        except Exception as error:  # whatever it is: the set is decided, so there is only trying again
            if isinstance(error, MessageSizeTooLargeError) and (smaller := self._shrink(topic, records[0])):
                queue[0] = queue[0]._replace(record=smaller)
                return 0
            if topic not in self.failing:
                log.warning("%s, partition %d: sending fails, trying again: %r", topic, self._partition, error)
            self.failing[topic] = repr(error)
            await asyncio.sleep(RETRY_S)
            return 0
        self.failing.pop(topic, None)
        return n_sent

    def _shrink(self, topic: str, record: Record) -> Record | None:
        smaller = shrink_dead_letter(record) if topic == DEADLETTER else None
        if smaller is not None:
            log.warning(
                "%s, partition %d: a dead letter of %d bytes is more than the topic takes; it goes without them",
                topic, self._partition, len(record.value) + len(record.key or b""),
            )  # fmt: skip
        return smaller
