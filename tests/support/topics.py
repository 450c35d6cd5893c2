"""Topics and records for tests on a broker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.contract import ALL_TOPICS
from syncline.wire.placement import partition_for
from syncline.wire.results import OutgoingRecord

N_PARTITIONS = 4


async def make_topics(brokers: str, prefix: str, n_partitions: int = N_PARTITIONS) -> None:
    """Create all topics of the contract."""
    created = await create_topics(brokers, TopicPlan(n_partitions=n_partitions, prefix=prefix))
    assert len(created) == len(ALL_TOPICS)


async def write_records(brokers: str, prefix: str, records: Iterable[OutgoingRecord]) -> None:
    """Write records as the service does, one after the other."""
    async with AIOKafkaProducer(bootstrap_servers=brokers) as producer:
        for record in records:
            partition = partition_for(record.key or b"", N_PARTITIONS)
            await producer.send_and_wait(
                prefix + record.topic, record.value, record.key, partition, headers=record.headers
            )


async def read_records(brokers: str, topic: str, n_records: int) -> list[Any]:
    """Read records of a topic (full name) from its start, all partitions, with plain aiokafka."""
    async with AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(N_PARTITIONS)])
        return [await consumer.getone() for _ in range(n_records)]
