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

from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from syncline.cluster import Cluster
from syncline.kafka import start_producer
from syncline.results import Record

log = logging.getLogger(__name__)

MAX_BATCH_BYTES = 900_000
"""Below the 1 MiB that brokers take by default; a larger single record still goes, alone."""
MAX_REQUEST_BYTES = 64 * 2**20
"""The broker's limit is the one that counts."""
SEND_TIMEOUT_S = 30.0
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
