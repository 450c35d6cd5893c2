"""Sends batches to Kafka with a producer that can always be stopped, and finds out what size a topic takes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from syncline.errors import BrokerError, BrokerTimeoutError
from syncline.kafka.client import start_producer
from syncline.kafka.cluster import Cluster
from syncline.kafka.routines import RoutineEndedError, unless_ended
from syncline.kafka.topics import read_limit
from syncline.wire.results import OutgoingRecord

LEAST_LIMIT_BYTES = 1_024
"""A topic with a lower limit takes no result at all, like an outage; `topics create` never sets one so low."""
UNTOLD_LIMIT_BYTES = 65_536
"""If the broker does not tell the limit, records below this size are retried."""
BATCH_BYTES = 61
"""Size of an empty batch; a topic's limit counts whole batches."""


async def takes(cluster: Cluster, topic: str, record: OutgoingRecord) -> bool:
    """Tell whether a topic (full name) will eventually take a record that was refused for its size.

    True: the limit is above it by now, or so low that nothing can be sent. Raises `BrokerError` if no broker answers.
    """
    limit = await read_limit(cluster, topic)
    if limit is None:
        return _size(record) < UNTOLD_LIMIT_BYTES
    return limit < LEAST_LIMIT_BYTES or BATCH_BYTES + _size(record) <= limit


def _size(record: OutgoingRecord) -> int:
    """Return a lower bound of the record's size in a batch, without its numbers of a byte or more each."""
    headers = sum(len(name.encode()) + len(data or b"") for name, data in record.headers)
    return len(record.key or b"") + len(record.value) + headers


# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# ruff: noqa: SLF001 - private parts are aiokafka's


log = logging.getLogger(__name__)

REFUSED = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)
"""Answers of a broker that rejected a whole batch."""
LOOK_S = 0.05
END_LIMIT_S = 2.0
"""How long requests may take to notice a closed connection before they are cancelled."""
_N_SEQUENCES = 2**32


async def queue_batch(producer: Any, builder: Any, topic: str, partition: int) -> tuple[Any, asyncio.Future[Any]]:
    """Queue a builder's batch; return the batch and its delivery. Raises `KafkaError`."""
    delivery = await producer.send_batch(builder, topic, partition=partition)
    # Without awaiting: the sender removes it in the loop's next round.
    queued = producer._message_accumulator._batches.get(TopicPartition(topic, partition))
    return queued[-1] if queued else None, delivery


def take_back(producer: Any, batch: Any) -> bool:
    """Reuse the sequence numbers of a refused batch; return False if they may be in use.

    An idempotent producer has counted the batch's records, so the broker would reject the next batch as out of order.
    Not possible if the batch was sent more than once (an earlier copy may have been written) or others follow already.
    """
    numbers = producer._txn_manager
    if numbers is None:
        return True  # not idempotent: no sequence numbers
    if batch is None or batch.retry_count != 1:
        return False
    accumulator, tp = producer._message_accumulator, batch.tp
    if accumulator._batches.get(tp) or any(other.tp == tp for other in accumulator._pending_batches - {batch}):
        return False
    first = numbers._sequence_numbers[tp] - batch.record_count
    numbers._sequence_numbers[tp] = first if first >= -_N_SEQUENCES // 2 else first + _N_SEQUENCES
    return True


async def end_producer(producer: Any, limit_s: float) -> bool:
    """Stop a producer completely; return False if its queued records did not arrive within `limit_s`.

    aiokafka's `stop` waits for the broker first. Cancelled meanwhile, it leaves sender, metadata and connections
    running, and a second `stop` does nothing.
    """
    producer._closed = True  # otherwise it warns when it is collected
    sender = producer._sender.sender_task
    arrived = await _flush(producer, sender, limit_s)
    if sender is not None:
        sender.cancel()
    await _close(producer.client)
    if sender is not None:
        await _until_ended(producer.client, sender)
        await _close(producer.client)  # again: a connection may have been made meanwhile
    return arrived


async def _flush(producer: Any, sender: asyncio.Task[None] | None, limit_s: float) -> bool:
    if sender is None:
        return True  # it never started
    flushing = asyncio.ensure_future(producer._message_accumulator.close())
    await asyncio.wait([flushing, sender], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    arrived = flushing.done()
    flushing.cancel()
    await asyncio.wait([flushing])
    return arrived


async def _close(client: Any) -> None:
    closing = asyncio.ensure_future(client.close())
    await asyncio.wait([closing], timeout=END_LIMIT_S)
    closing.cancel()
    await asyncio.wait([closing])
    if not closing.cancelled() and closing.exception() is not None:
        # aiokafka 0.14 cannot close a connection that is being made.
        log.info("a producer's connections did not close cleanly: %r", closing.exception())


async def _until_ended(client: Any, sender: asyncio.Task[None]) -> None:
    """Cancel a sender until it ends: it waits for its requests, and these for metadata that no task fetches."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + END_LIMIT_S
    while not sender.done():
        asking = client._md_update_fut
        if asking is not None and not asking.done():
            asking.set_result(False)
        if loop.time() > until_s:
            sender.cancel()  # reaches the request that it waits for
        await asyncio.wait([sender], timeout=LOOK_S)


MAX_BATCH_BYTES = 900_000
"""Below brokers' default of 1 MiB; a larger single record is sent alone."""
MAX_REQUEST_BYTES = 64 * 2**20
"""High, so that the broker's own limit decides."""
SEND_TIMEOUT_S = 30.0
"""Replace the producer after so long without an answer to a batch; double the limit each time that does not help."""
MOST_DOUBLINGS = 3
START_LIMIT_S = 10.0
LEAVE_LIMIT_S = 3.0
"""Limit for records of others that are queued with a replaced producer."""
REQUEST_TIMEOUT_MS = 10_000
"""Retry a request after so long, because its connection may have died silently."""


class SendStats:
    """Counts of a producer since its start, by full topic name."""

    def __init__(self) -> None:
        self.ms: dict[str, Histogram] = {}
        """How long each batch took until its acknowledgement, waiting included."""
        self.n_records: Counter[str] = Counter()
        self.n_errors: Counter[str] = Counter()
        """Batches that failed and are retried."""

    def sent(self, topic: str, n_records: int, ms: float) -> None:
        """Count an acknowledged batch."""
        self.n_records[topic] += n_records
        if topic not in self.ms:
            self.ms[topic] = Histogram(LATENCY_BOUNDS_MS)
        self.ms[topic].add(ms)


class Producer:
    """An aiokafka producer with `acks=all`, idempotent if the broker supports it; a broken one is replaced."""

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
        """Topic partitions for which a producer was replaced and that have not answered since."""
        self._n_doublings = 0

    async def start(self) -> None:
        """Connect. Raises `BrokerError`."""
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
            raise BrokerTimeoutError(f"broker {self._cluster}: no answer for {START_LIMIT_S:.0f} s") from error

    async def stop(self) -> None:
        """Disconnect, after a few seconds for records on their way."""
        self._stopped = True
        self._replace(self._producer)
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def send(self, topic: str, partition: int, records: Sequence[OutgoingRecord]) -> int:
        """Send as many of `records` as fit into one batch; return how many when the broker has them.

        topic: full name, used instead of the records' own. Raises `KafkaError` or `BrokerError`: the outcome is unknown
        then.
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

    async def takes(self, topic: str, record: OutgoingRecord) -> bool:
        """Tell whether a topic (full name) will take `record`, which it refused for its size. Raises `BrokerError`."""
        return await takes(self._cluster, topic, record)

    def _answered(self, topic: str, partition: int) -> None:
        if (topic, partition) in self._silent:
            self._silent.clear()
            self._n_doublings = 0

    async def _send(self, topic: str, partition: int, records: Sequence[OutgoingRecord]) -> int:
        producer = await self._connected()
        builder, n_taken = producer.create_batch(), 0
        for record in records:
            if builder.append(key=record.key, value=record.value, timestamp=None, headers=record.headers) is None:
                break
            n_taken += 1
        builder.close()
        if n_taken == 1 and builder.size() > MAX_REQUEST_BYTES:  # its broker would hang up without an answer
            raise MessageSizeTooLargeError(f"a record of {builder.size()} bytes")
        try:
            await self._deliver(producer, builder, topic, partition)
        except MessageSizeTooLargeError:
            if n_taken == 1:
                raise
        else:
            return n_taken
        return await self._send(topic, partition, records[: n_taken // 2])  # this topic's limit is below the default

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
        # The broker may be the cause, and a new producer does not help then: give the next one longer.
        if producer is self._producer:
            self._n_doublings = min(self._n_doublings + 1, MOST_DOUBLINGS)
        self._silent.add((topic, partition))
        self._replace(producer)

    def _replace(self, broken: Any) -> None:
        # An idempotent producer cannot send after a lost batch: its sequence numbers would have a gap.
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
        log.info("a producer was stopped before all its queued records were answered")
