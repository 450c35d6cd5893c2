"""The brokers that the tests stand on."""

from __future__ import annotations

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.brokers import TestBroker


async def send_and_read(address: str, topic: str) -> bytes | None:
    """Make a topic, write one record, read it back."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=address) as producer:
        await producer.send_and_wait(topic, b"hello")
    async with aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        return (await consumer.getone()).value


async def test_a_shared_broker_takes_and_gives_a_record(broker: TestBroker, topic_prefix: str) -> None:
    """A record that was written can be read."""
    assert await send_and_read(broker.address, f"{topic_prefix}x") == b"hello"


async def test_a_broker_comes_back_on_its_address(own_broker: TestBroker, topic_prefix: str) -> None:
    """After stop nobody answers, after start the same address serves again."""
    address = own_broker.address
    await own_broker.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    with pytest.raises(aiokafka.errors.KafkaConnectionError):
        await admin.start()
    await admin.close()
    await own_broker.start()
    assert own_broker.address == address
    assert await send_and_read(address, f"{topic_prefix}y") == b"hello"
