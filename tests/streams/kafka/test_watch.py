"""streams/kafka/watch.py: high watermarks and partition counts."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.kafka import watch
from streams.kafka.watch import HighWaters, count_partitions, watch_partitions
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics


class Driver:
    """Wants to know some topics, and notes the answers."""

    def __init__(self, topics: set[str]) -> None:
        self.owner = SimpleNamespace(topics_to_ask=lambda: topics)
        self.answers: asyncio.Queue[tuple[dict[str, int] | None, int]] = asyncio.Queue()

    def on_high_water(self, high_water: dict[str, int] | None, asked_ms: int) -> None:
        self.answers.put_nowait((high_water, asked_ms))


async def test_high_watermarks_are_asked_for_those_who_want_them(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every offset below is there, whatever the broker counts as one record: the fetched mark counts too."""
    monkeypatch.setattr(watch, "ASK_EVERY_S", 0.05)
    await make_topics(broker.address, topic_prefix, 2)
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for _ in range(3):
            await producer.send_and_wait(topic_prefix + "media.text", b"x", partition=1)
    curious, content = Driver({"media.text", "media.image"}), Driver(set())
    hub: Any = SimpleNamespace(drivers={1: curious, 0: content})
    parts: Any = SimpleNamespace(now_ms=lambda: 17, fetched_high_water=lambda topic, p: 9 if "image" in topic else 0)
    asking = asyncio.create_task(HighWaters(broker.address, topic_prefix, hub, parts).run())
    try:
        answer = await asyncio.wait_for(curious.answers.get(), 20)
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    assert answer == ({"media.text": 3, "media.image": 9}, 17)
    assert content.answers.empty()


async def test_partitions_are_counted_and_what_is_missing_is_named(broker: TestBroker, topic_prefix: str) -> None:
    """With the command that mends it."""
    count, trouble = await count_partitions(broker.address, topic_prefix)
    assert count == 0
    assert f"{topic_prefix}media.image" in trouble
    assert "syncline topics create" in trouble
    await make_topics(broker.address, topic_prefix, 3)
    assert await count_partitions(broker.address, topic_prefix) == (3, "")


@pytest.mark.apache
async def test_a_change_of_the_number_halts_the_worker(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the numbers."""
    monkeypatch.setattr(watch, "COUNT_EVERY_S", 0.05)
    await make_topics(broker.address, topic_prefix, 2)
    halted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    hub: Any = SimpleNamespace(halt=halted.set_result)
    watching = asyncio.create_task(watch_partitions(broker.address, topic_prefix, hub, 2))
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    await admin.create_partitions({topic_prefix + "media.text": NewPartitions(3)})
    await admin.close()
    assert f"{topic_prefix}media.text 3" in await asyncio.wait_for(halted, 20)
    await watching
