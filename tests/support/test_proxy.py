"""tests/support/proxy.py: clients go through it, and what it does to them reaches them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from tests.support.brokers import TestBroker
from tests.support.proxy import Proxy
from tests.support.topics import make_topics


async def test_clients_meet_the_broker_through_it_alone(broker: TestBroker, topic_prefix: str) -> None:
    """It stands in each address that the broker names; what is sent through it is read through it."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + "unfused"
    async with Proxy(broker.address) as proxy:
        async with AIOKafkaProducer(bootstrap_servers=proxy.address) as producer:
            await producer.send_and_wait(topic, bytes(300_000), partition=0)
            ports = {node.port for node in producer.client.cluster.brokers()}
        async with AIOKafkaConsumer(bootstrap_servers=proxy.address, auto_offset_reset="earliest") as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            assert len((await consumer.getone()).value) == 300_000
        assert ports == {int(proxy.address.rpartition(":")[2])}


async def test_a_connection_that_was_reset_is_made_anew(broker: TestBroker) -> None:
    """Its client is told at once."""
    async with Proxy(broker.address) as proxy, AIOKafkaProducer(bootstrap_servers=proxy.address) as producer:
        client: Any = producer.client
        await client.fetch_all_metadata()
        n_before = proxy.n_accepted
        assert proxy.reset() == proxy.n_resets >= 1
        async with asyncio.timeout(300):
            while proxy.n_accepted == n_before:
                with suppress(KafkaError):
                    await client.fetch_all_metadata()
                await asyncio.sleep(0.01)
            while not await client.fetch_all_metadata():
                pass


async def test_a_black_hole_answers_nothing_and_lets_go_when_it_ends(broker: TestBroker) -> None:
    """Whoever waits in it hears nothing at all, until it is over: then the connection is reset."""
    async with Proxy(broker.address) as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address.split(":"))
        proxy.is_black_hole = True
        writer.write(bytes(8))
        await writer.drain()
        hearing = asyncio.ensure_future(reader.read(1))
        assert not (await asyncio.wait([hearing], timeout=0.2))[0]
        proxy.is_black_hole = False
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(hearing, 300)
        writer.close()


@pytest.mark.parametrize("swallows", ["asks", "answers"])
async def test_a_black_hole_can_swallow_one_way_alone(broker: TestBroker, topic_prefix: str, swallows: Any) -> None:
    """Whoever asks hears nothing either way; the broker has done what it was asked where the answer alone is lost."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + "unfused"
    async with Proxy(broker.address) as proxy, AIOKafkaProducer(bootstrap_servers=proxy.address) as producer:
        await producer.send_and_wait(topic, b"before", partition=0)
        proxy.swallows = swallows
        sending = await producer.send(topic, b"in it", partition=0)
        async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
            consumer.assign([TopicPartition(topic, 0)])
            assert (await consumer.getone()).value == b"before"
            if swallows == "answers":
                assert (await asyncio.wait_for(consumer.getone(), 300)).value == b"in it"
        assert not sending.done()
        proxy.swallows = ""
        await asyncio.wait_for(sending, 300)
