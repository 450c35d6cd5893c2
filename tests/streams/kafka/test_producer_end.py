"""streams/kafka/producer.py: what it relies on of aiokafka's private parts, seen on real brokers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from streams.kafka.producer import end_producer, queue_batch, take_back
from syncline.kafka.client import start_producer
from syncline.kafka.cluster import Cluster
from syncline.kafka.topics import TopicPlan, create_topics
from tests.support.brokers import TestBroker
from tests.support.proxy import Proxy
from tests.support.topics import make_topics


def batch_of(producer: Any, n_records: int, n_bytes: int) -> Any:
    builder = producer.create_batch()
    for _ in range(n_records):
        builder.append(key=b"k", value=bytes(n_bytes), timestamp=None)
    builder.close()
    return builder


async def queue(producer: Any, topic: str, n_records: int, n_bytes: int) -> tuple[Any, asyncio.Future[Any]]:
    """Queue a batch; itself and its delivery."""
    return await queue_batch(producer, batch_of(producer, n_records, n_bytes), topic, 0)


@asynccontextmanager
async def producing(broker: TestBroker, prefix: str) -> AsyncIterator[tuple[Any, str]]:
    """A producer, and a topic that takes 5 kB."""
    await create_topics(broker.address, TopicPlan(n_partitions=1, prefix=prefix, max_message_bytes=5_000))
    producer = await start_producer(Cluster.of(broker.address), max_batch_size=900_000, max_request_size=1 << 24)
    try:
        yield producer, prefix + "unfused"
    finally:
        await end_producer(producer, 3.0)


@pytest.mark.apache
async def test_after_a_batch_that_was_refused_the_same_producer_goes_on(broker: TestBroker, topic_prefix: str) -> None:
    """Its numbers are taken back: without that the broker takes the next batch for out of order."""
    async with producing(broker, topic_prefix) as (producer, topic):
        for n_records in (2, 1, 3):
            _, delivery = await queue(producer, topic, n_records, 100)
            await delivery
            large, delivery = await queue(producer, topic, n_records, 9_000)
            with pytest.raises(MessageSizeTooLargeError):
                await delivery
            assert take_back(producer, large)
        _, delivery = await queue(producer, topic, 1, 100)
        assert (await delivery).offset == 6
        async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            assert [len((await consumer.getone()).value) for _ in range(7)] == [100] * 7


@pytest.mark.apache
async def test_numbers_are_not_taken_back_where_another_batch_follows(broker: TestBroker, topic_prefix: str) -> None:
    """It has numbers of its own, behind those."""
    async with producing(broker, topic_prefix) as (producer, topic):
        large, delivery = await queue(producer, topic, 1, 9_000)
        with pytest.raises(MessageSizeTooLargeError):
            await delivery
        await queue(producer, topic, 1, 100)
        assert not take_back(producer, large)


@pytest.mark.apache
async def test_numbers_are_not_taken_back_of_a_batch_that_was_sent_twice(broker: TestBroker, topic_prefix: str) -> None:
    """Its first copy may have been written, whatever became of the second."""
    async with producing(broker, topic_prefix) as (producer, topic):
        large, delivery = await queue(producer, topic, 1, 9_000)
        with pytest.raises(MessageSizeTooLargeError):
            await delivery
        large.drain_ready()
        assert not take_back(producer, large)


@pytest.mark.parametrize("fault", ["none", "black hole", "reset", "away"])
async def test_a_producer_that_is_ended_leaves_nothing_behind(
    broker: TestBroker, topic_prefix: str, fault: str
) -> None:
    """No task and no connection, whatever its broker does; its own `stop` leaves all of it where it is cut short."""
    await make_topics(broker.address, topic_prefix, 1)
    async with Proxy(broker.address) as proxy:
        before = asyncio.all_tasks()
        producer = await start_producer(Cluster.of(proxy.address), request_timeout_ms=1_000)
        ours = asyncio.all_tasks() - before
        assert producer._sender.sender_task in ours
        await queue(producer, topic_prefix + "unfused", 1, 100)
        proxy.is_black_hole = fault == "black hole"
        proxy.refuses = fault == "away"
        if fault in ("reset", "away"):
            proxy.reset()
        _, delivery = await queue(producer, topic_prefix + "unfused", 1, 100)
        arrived = await end_producer(producer, 0.5)
        assert arrived == delivery.done() == (fault in ("none", "reset"))
        async with asyncio.timeout(300):
            while any(not task.done() and _is_of_aiokafka(task) for task in asyncio.all_tasks() - before):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            proxy.is_black_hole = False
            while proxy.n_open:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def _is_of_aiokafka(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "aiokafka" in code.co_filename
