"""streams/kafka/producer.py: batches of our own, and a producer that is replaced when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from streams.kafka import producer as publish
from streams.kafka.producer import Producer
from syncline.errors import BrokerError
from syncline.kafka.cluster import Cluster
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.results import OutgoingRecord
from tests.support.brokers import TestBroker
from tests.support.proxy import Proxy
from tests.support.topics import make_topics


def record(topic: str, value: int) -> OutgoingRecord:
    return OutgoingRecord(topic, b"k", b"%d" % value, [])


async def test_the_producer_sends_what_fits_into_one_batch(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how many those were, and one that is larger than a batch goes alone."""
    monkeypatch.setattr(publish, "MAX_BATCH_BYTES", 1_000)
    await make_topics(broker.address, topic_prefix, 1)
    producer = Producer(Cluster.of(broker.address))
    await producer.start()
    try:
        topic = topic_prefix + "unfused"
        records = [OutgoingRecord("unfused", b"k", b"x" * size, [("h", b"v")]) for size in (300, 300, 5_000, 300)]
        numbers: list[int] = []
        while records:
            numbers.append(await producer.send(topic, 0, records))
            del records[: numbers[-1]]
    finally:
        await producer.stop()
    assert numbers == [2, 1, 1]
    assert [len(one.value) for one in await _read(broker, topic, 4)] == [300, 300, 5_000, 300]


@pytest.mark.apache
async def test_a_topic_that_takes_small_batches_only_gets_small_ones(broker: TestBroker, topic_prefix: str) -> None:
    """Halved until they fit; a record that is too large alone is an error that says so."""
    plan = TopicPlan(n_partitions=1, prefix=topic_prefix, max_message_bytes=5_000)
    await create_topics(broker.address, plan)
    producer = Producer(Cluster.of(broker.address))
    await producer.start()
    try:
        topic = topic_prefix + "unfused"
        records = [OutgoingRecord("unfused", b"k", b"x" * 1_000, []) for _ in range(40)]
        n_records = len(records)
        while records:
            del records[: await producer.send(topic, 0, records)]
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send(topic, 0, [OutgoingRecord("unfused", b"k", b"x" * 10_000, [])])
    finally:
        await producer.stop()
    assert len(await _read(broker, topic, n_records)) == n_records


async def test_the_producer_is_idempotent_where_the_broker_can(broker: TestBroker) -> None:
    """Tansu cannot; there it goes on without."""
    producer = Producer(Cluster.of(broker.address))
    await producer.start()
    try:
        assert (producer._producer._txn_manager is not None) == (broker.kind == "apache")
    finally:
        await producer.stop()


async def _read(broker: TestBroker, topic: str, n_records: int) -> list[Any]:
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return [await consumer.getone() for _ in range(n_records)]


async def test_a_broken_producer_is_replaced(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose batch found no answer may never send again; the next send has a new one."""
    await make_topics(broker.address, topic_prefix, 1)
    producer = Producer(Cluster.of(broker.address))
    await producer.start()
    try:
        broken = producer._producer
        never = asyncio.get_running_loop().create_future()

        async def hang(*args: object, **more: object) -> Any:
            return never

        monkeypatch.setattr(broken, "send_batch", hang)
        monkeypatch.setattr(publish, "SEND_TIMEOUT_S", 0.05)
        with pytest.raises(KafkaTimeoutError):
            await producer.send(topic_prefix + "unfused", 0, [record("unfused", 1)])
        monkeypatch.setattr(publish, "SEND_TIMEOUT_S", 10)
        assert await producer.send(topic_prefix + "unfused", 0, [record("unfused", 1)]) == 1
        assert producer._producer is not broken
    finally:
        await producer.stop()


async def test_a_producer_that_cannot_be_replaced_yet_is_tried_again(
    own_broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the broker is away there is none to be had; when it is back, sending goes on."""
    await make_topics(own_broker.address, topic_prefix, 1)
    producer = Producer(Cluster.of(own_broker.address))
    await producer.start()
    try:
        await own_broker.stop()
        monkeypatch.setattr(publish, "SEND_TIMEOUT_S", 0.05)
        for _ in range(2):
            with pytest.raises((KafkaError, BrokerError)):
                await producer.send(topic_prefix + "unfused", 0, [record("unfused", 1)])
        await own_broker.start()
        if own_broker.kind == "tansu":  # it has forgotten everything
            await make_topics(own_broker.address, topic_prefix, 1)
        monkeypatch.setattr(publish, "SEND_TIMEOUT_S", 5)
        async with asyncio.timeout(300):
            while True:
                with contextlib.suppress(KafkaError, BrokerError):
                    assert await producer.send(topic_prefix + "unfused", 0, [record("unfused", 1)]) == 1
                    break
    finally:
        await producer.stop()


@pytest.mark.apache
async def test_what_is_merely_too_large_costs_no_producer(broker: TestBroker, topic_prefix: str) -> None:
    """Neither a batch that is halved nor a record that no batch is small enough for; other topics do not notice."""
    await create_topics(broker.address, TopicPlan(n_partitions=2, prefix=topic_prefix, max_message_bytes=5_000))
    producer = Producer(Cluster.of(broker.address))
    await producer.start()
    try:
        small, large = record("unfused", 1), OutgoingRecord("unfused", b"k", bytes(10_000), [])
        topics = [topic_prefix + "unfused", topic_prefix + "results.fused"]
        for topic in topics:
            await producer.send(topic, 0, [small])  # a new topic's leader may not know of it yet
        first = producer._producer
        for topic in topics * 2:
            with pytest.raises(MessageSizeTooLargeError):
                await producer.send(topic, 0, [large, small])
            assert 1 <= await producer.send(topic, 0, [small] * 600) < 600
        assert producer._producer is first
    finally:
        await producer.stop()


async def test_others_do_not_wait_for_a_producer_that_is_replaced(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they had queued with it is given a few seconds, then they are told to send it again."""
    monkeypatch.setattr(publish, "LEAVE_LIMIT_S", 0.1)
    await make_topics(broker.address, topic_prefix, 1)
    async with Proxy(broker.address) as proxy:
        producer = Producer(Cluster.of(proxy.address))
        await producer.start()
        try:
            proxy.is_black_hole = True
            waiting = [
                asyncio.ensure_future(producer.send(topic_prefix + topic, 0, [record(topic, 1)]))
                for topic in ("unfused", "results.fused")
            ]
            await asyncio.wait(waiting, timeout=0.2)  # until both are on their way
            producer._give_up(producer._producer, topic_prefix + "unfused", 0)
            for one in waiting:
                with pytest.raises(KafkaError):
                    await asyncio.wait_for(one, 300)
            proxy.is_black_hole = False
            assert await producer.send(topic_prefix + "results.fused", 0, [record("results.fused", 1)]) == 1
        finally:
            await producer.stop()
