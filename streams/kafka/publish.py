"""Sending to Kafka: one producer, and batches of our own.

A send of aiokafka's costs about 50 us a record; a batch that we fill ourselves, a few. What waits while one batch
is on its way makes the next one, so that there is no linger to choose.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from streams.kafka.limits import takes
from streams.kafka.sender import REFUSED, end_producer, queue_batch, take_back
from syncline.cluster import Cluster
from syncline.errors import BrokerError
from syncline.kafka import start_producer
from syncline.results import Record
from syncline.routines import RoutineEndedError, unless_ended

log = logging.getLogger(__name__)

MAX_BATCH_BYTES = 900_000
"""Below the 1 MiB that brokers take by default; a larger single record still goes, alone."""
MAX_REQUEST_BYTES = 64 * 2**20
"""The broker's limit is the one that counts."""
SEND_TIMEOUT_S = 30.0
"""A batch without an answer for so long costs a new producer; twice as long each time that one does not help."""
MOST_DOUBLINGS = 3
START_LIMIT_S = 10.0
LEAVE_LIMIT_S = 3.0
"""For what others have queued with a producer that is replaced."""
REQUEST_TIMEOUT_MS = 10_000
"""What was sent over a connection that has died in silence is sent again after it."""


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
    """aiokafka's producer: `acks=all`, idempotent where the broker can; one that breaks is replaced, and ended."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.stats = SendStats()
        self._producer: Any = None
        self._starting = asyncio.Lock()
        self._stopped = False
        self._leaving: set[asyncio.Task[None]] = set()
        self._unanswered: dict[Any, Any] = {}
        """Producer by batch."""
        self._silent: set[tuple[str, int]] = set()
        """Topic partitions that cost a producer and have not answered since."""
        self._n_doublings = 0

    async def start(self) -> None:
        """Connect; raises `BrokerError`."""
        await self._connected()

    async def _connected(self) -> Any:
        async with self._starting:
            if self._producer is None:
                if self._stopped:
                    raise BrokerError("the producer is stopped")
                self._producer = await self._start()
            return self._producer

    async def _start(self) -> Any:
        try:
            async with asyncio.timeout(START_LIMIT_S):
                return await start_producer(
                    self._cluster,
                    max_batch_size=MAX_BATCH_BYTES,
                    max_request_size=MAX_REQUEST_BYTES,
                    linger_ms=0,
                    request_timeout_ms=REQUEST_TIMEOUT_MS,
                )
        except TimeoutError as error:
            raise BrokerError(f"broker {self._cluster}: no answer for {START_LIMIT_S:.0f} s") from error

    async def stop(self) -> None:
        """Disconnect; what is still on its way is given a few seconds."""
        self._stopped = True
        self._replace(self._producer)
        if self._leaving:
            await asyncio.wait(self._leaving)

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
        self._answered(topic, partition)
        return n_sent

    async def takes(self, topic: str, record: Record) -> bool:
        """Whether a topic (full name) that has refused `record` for its size will take it; raises `BrokerError`."""
        return await takes(self._cluster, topic, record)

    def _answered(self, topic: str, partition: int) -> None:
        if (topic, partition) in self._silent:
            self._silent.clear()
            self._n_doublings = 0

    async def _send(self, topic: str, partition: int, records: Sequence[Record]) -> int:
        producer = await self._connected()
        builder, n_taken = producer.create_batch(), 0
        for record in records:
            if builder.append(key=record.key, value=record.value, timestamp=None, headers=record.headers) is None:
                break
            n_taken += 1
        builder.close()
        if n_taken == 1 and builder.size() > MAX_REQUEST_BYTES:  # its broker would hang up instead of answering
            raise MessageSizeTooLargeError(f"a record of {builder.size()} bytes")
        try:
            await self._deliver(producer, builder, topic, partition)
        except MessageSizeTooLargeError:
            if n_taken == 1:
                raise
        else:
            return n_taken
        return await self._send(topic, partition, records[: n_taken // 2])  # this topic takes less than is usual

    async def _deliver(self, producer: Any, builder: Any, topic: str, partition: int) -> None:
        limit_s = SEND_TIMEOUT_S * 2**self._n_doublings
        batch: Any = None
        try:
            async with asyncio.timeout(limit_s):
                batch, delivery = await unless_ended(producer, queue_batch(producer, builder, topic, partition))
                self._unanswered[batch] = producer
                await unless_ended(producer, delivery)
        except TimeoutError as error:
            self._give_up(producer, topic, partition)
            raise KafkaTimeoutError(f"no answer for {limit_s:.0f} s") from error
        except RoutineEndedError:
            self._replace(producer)
            raise
        except KafkaError as error:
            refused = isinstance(error, REFUSED) and take_back(producer, batch)
            if not refused and not error.retriable:
                self._replace(producer)
            raise
        finally:
            self._unanswered.pop(batch, None)

    def _give_up(self, producer: Any, topic: str, partition: int) -> None:
        # What is to blame may be its broker, which a new producer does not mend: the next is given longer.
        if producer is self._producer:
            self._n_doublings = min(self._n_doublings + 1, MOST_DOUBLINGS)
        self._silent.add((topic, partition))
        self._replace(producer)

    def _replace(self, broken: Any) -> None:
        # An idempotent producer that has lost a batch can send no further one: its numbers would have a gap.
        if broken is not None and self._producer is broken:
            self._producer = None
            leaving = asyncio.create_task(self._leave(broken), name="a producer that was replaced")
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, producer: Any) -> None:
        await _leave(producer)
        for batch, of in list(self._unanswered.items()):
            if of is producer and batch is not None:
                batch.failure(KafkaConnectionError("the producer was replaced"))


async def _leave(producer: Any) -> None:
    if not await end_producer(producer, LEAVE_LIMIT_S):
        log.info("a producer was ended before all that it had queued was answered")
