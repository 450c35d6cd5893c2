"""Whose transaction is open is asked of real brokers."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.kafka.transaction_holder import find_holder
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics
from tests.support.transactions import transactional


@pytest.mark.apache
async def test_the_transaction_that_begins_there_is_named(broker: TestBroker, topic_prefix: str) -> None:
    """Not one that begins behind it, nor a producer without transactions."""
    await make_topics(broker.address, topic_prefix, 1)
    tp = TopicPartition(topic_prefix + "media.text", 0)
    async with (
        AIOKafkaProducer(bootstrap_servers=broker.address, enable_idempotence=True) as plain,
        transactional(broker, topic_prefix + "first") as first,
        transactional(broker, topic_prefix + "second") as second,
        AIOKafkaConsumer(bootstrap_servers=broker.address) as asking,
    ):
        await plain.send_and_wait(tp.topic, b"x", partition=0)
        for producer in (first, second):
            await producer.begin_transaction()
            await producer.send_and_wait(tp.topic, b"x", partition=0)
        await asking.end_offsets([tp])  # it knows the leader then
        told = [await find_holder(asking._client, tp, offset) for offset in (0, 1, 2)]
    assert told[0] == ""
    assert (told[1] or "").startswith(f"transactional_id '{topic_prefix}first', producer ")
    assert (told[2] or "").startswith(f"transactional_id '{topic_prefix}second', producer ")


async def test_a_broker_that_cannot_be_asked_names_nobody(broker: TestBroker, topic_prefix: str) -> None:
    """The embedded one has no transactions; nothing is raised."""
    if broker.kind != "tansu":
        pytest.skip("this one can be asked")
    await make_topics(broker.address, topic_prefix, 1)
    tp = TopicPartition(topic_prefix + "media.text", 0)
    async with AIOKafkaConsumer(bootstrap_servers=broker.address) as asking:
        await asking.end_offsets([tp])
        assert not await find_holder(asking._client, tp, 0)
