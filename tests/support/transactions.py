"""Media records in transactions of a plain client, which commits them, aborts them, or leaves them open."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.support.brokers import TestBroker
from tests.support.moments import Sample, Sent, send_one
from tests.support.topics import N_PARTITIONS


@asynccontextmanager
async def transactional(broker: TestBroker, name: str) -> AsyncGenerator[Any]:
    """A started producer with this transactional id; what it leaves open is aborted at the end."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=broker.address, transactional_id=name, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def put(
    producer: Any, prefix: str, samples: Sequence[Sample], n_partitions: int = N_PARTITIONS, sent: Sent | None = None
) -> Sent:
    """Send samples in the transaction that is open now; where they are, once the broker has them."""
    sent = Sent() if sent is None else sent
    waiting = [(await send_one(producer, prefix, sample, n_partitions), sample) for sample in samples]
    for future, sample in waiting:
        at = await future
        sent.records[at.topic.removeprefix(prefix), at.partition, at.offset] = sample
    return sent
