"""What an operator, or time, can do to topics and groups behind a worker's back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.protocol.admin import DeleteGroupsRequest
from aiokafka.structs import OffsetAndMetadata

from syncline.kafka.client import stop_consumer
from tests.support.brokers import TestBroker


@asynccontextmanager
async def admin_of(broker: TestBroker) -> AsyncIterator[Any]:
    """aiokafka's admin client."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def delete_below(broker: TestBroker, topic: str, offset: int, partition: int = 0) -> None:
    """Delete the records below `offset`, as retention does; Apache Kafka only."""
    async with admin_of(broker) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)})


async def make_anew(broker: TestBroker, topic: str, n_partitions: int = 1) -> None:
    """Delete a topic and make it again, empty."""
    async with admin_of(broker) as admin:
        await admin.delete_topics([topic])
        for _ in range(100):
            answer = await admin.create_topics([NewTopic(topic, n_partitions, 1)])
            if answer.topic_errors[0][1] == 0 or broker.kind == "tansu":  # which makes it as soon as it is asked of it
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{topic} was not made anew: {answer}")


async def delete_group(broker: TestBroker, group: str) -> None:
    """Delete a group that nobody is in, and with it its committed offsets, as `offsets.retention.minutes` does."""
    async with admin_of(broker) as admin:
        coordinator = await admin.find_coordinator(group)
        for _ in range(100):
            answer = await admin._send_request(DeleteGroupsRequest([group]), coordinator)
            if answer.results[0][1] == 0:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{group} was not deleted: {answer}")


async def commit(broker: TestBroker, group: str, topic: str, offset: int, partition: int = 0) -> None:
    """Commit an offset for a group that nobody is in."""
    tp = TopicPartition(topic, partition)
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=broker.address, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([tp])
        await consumer.commit({tp: OffsetAndMetadata(offset, "")})
    finally:
        await stop_consumer(consumer)


async def committed_offsets(broker: TestBroker, group: str, topic: str, n_partitions: int) -> list[int | None]:
    """What a group has committed, by partition."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=broker.address, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return [await consumer.committed(TopicPartition(topic, partition)) for partition in range(n_partitions)]
    finally:
        await stop_consumer(consumer)
