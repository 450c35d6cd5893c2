"""streams/kafka/watch.py: high watermarks and partition counts."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from streams.kafka import watch
from streams.kafka.watch import HighWaters, LagWatch, count_partitions, watch_partitions
from syncline.cluster import Cluster
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics


class Driver:
    """Wants to know some topics, and notes the answers; how far all reach is told it too."""

    def __init__(self, topics: set[str]) -> None:
        self.owner = SimpleNamespace(topics_to_ask=lambda: topics)
        self.answers: asyncio.Queue[tuple[dict[str, int] | None, int]] = asyncio.Queue()

    def on_high_water(self, high_water: dict[str, int] | None, asked_ms: int) -> None:
        self.answers.put_nowait((high_water, asked_ms))

    def on_ends(self, high_water: dict[str, int], asked_ms: int) -> None:
        self.answers.put_nowait((high_water, asked_ms))


async def test_high_watermarks_are_asked_for_those_who_want_them(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every offset below is there, whatever the broker counts as one record: the fetched mark counts too."""
    monkeypatch.setattr(HighWaters, "every_s", 0.05)
    await make_topics(broker.address, topic_prefix, 2)
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for _ in range(3):
            await producer.send_and_wait(topic_prefix + "media.text", b"x", partition=1)
    curious, content = Driver({"media.text", "media.image"}), Driver(set())
    hub: Any = SimpleNamespace(drivers={1: curious, 0: content})
    parts: Any = SimpleNamespace(now_ms=lambda: 17, fetched_high_water=lambda topic, p: 9 if "image" in topic else 0)
    asking = asyncio.create_task(HighWaters(Cluster.of(broker.address), topic_prefix, hub, parts).run())
    try:
        answer = await asyncio.wait_for(curious.answers.get(), 20)
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    assert answer == ({"media.text": 3, "media.image": 9}, 17)
    assert content.answers.empty()


async def test_all_high_watermarks_are_asked_for_the_lag_and_silence_is_noticed(
    own_broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions too, whoever wants them or not; while the broker is away the last answer grows old."""
    monkeypatch.setattr(LagWatch, "every_s", 0.05)
    await make_topics(own_broker.address, topic_prefix, 2)
    async with AIOKafkaProducer(bootstrap_servers=own_broker.address) as producer:
        for topic in ("media.text", "decisions"):
            await producer.send_and_wait(topic_prefix + topic, b"x", partition=1)
    content, started_s = Driver(set()), time.monotonic()
    hub: Any = SimpleNamespace(drivers={1: content})
    parts: Any = SimpleNamespace(
        now_ms=lambda: int((time.monotonic() - started_s) * 1_000), fetched_high_water=lambda topic, p: 0
    )
    watch_ = LagWatch(Cluster.of(own_broker.address), topic_prefix, hub, parts)
    asking = asyncio.create_task(watch_.run())
    try:
        answer, _ = await asyncio.wait_for(content.answers.get(), 20)
        assert answer == {"media.image": 0, "media.text": 1, "media.audio": 0, "decisions": 1}
        await own_broker.stop()
        async with asyncio.timeout(20):
            while watch_.silent_ms < 1_000:  # noqa: ASYNC110 (silence has no event)
                await asyncio.sleep(0.05)
        await own_broker.start()
        async with asyncio.timeout(20):
            while watch_.silent_ms > 500:
                await content.answers.get()
    finally:
        asking.cancel()
        await asyncio.wait([asking])


async def test_partitions_are_counted_and_what_is_missing_is_named(broker: TestBroker, topic_prefix: str) -> None:
    """With the command that mends it."""
    count, trouble = await count_partitions(Cluster.of(broker.address), topic_prefix)
    assert count == 0
    assert f"{topic_prefix}media.image" in trouble
    assert "syncline topics create" in trouble
    await make_topics(broker.address, topic_prefix, 3)
    assert await count_partitions(Cluster.of(broker.address), topic_prefix) == (3, "")


@pytest.mark.apache
async def test_a_change_of_the_number_halts_the_worker(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the numbers."""
    monkeypatch.setattr(watch, "COUNT_EVERY_S", 0.05)
    await make_topics(broker.address, topic_prefix, 2)
    halted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    hub: Any = SimpleNamespace(halt=halted.set_result)
    watching = asyncio.create_task(watch_partitions(Cluster.of(broker.address), topic_prefix, hub, 2))
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    await admin.create_partitions({topic_prefix + "media.text": NewPartitions(3)})
    await admin.close()
    assert f"{topic_prefix}media.text 3" in await asyncio.wait_for(halted, 20)
    await watching


async def test_a_worker_without_partitions_hears_that_nobody_answers(
    own_broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a spare one whose certificate has expired /readyz must say so: it has nothing else to ask for."""
    monkeypatch.setattr(LagWatch, "every_s", 0.05)
    started_s = time.monotonic()
    hub: Any = SimpleNamespace(drivers={})
    parts: Any = SimpleNamespace(now_ms=lambda: int((time.monotonic() - started_s) * 1_000))
    lag_watch = LagWatch(Cluster.of(own_broker.address), topic_prefix, hub, parts)
    asking = asyncio.create_task(lag_watch.run())
    try:
        async with asyncio.timeout(30):
            while lag_watch._answered_ms == 0:  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.01)
            await own_broker.stop()
            while lag_watch.silent_ms < 1_000:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await own_broker.start()
            while lag_watch.silent_ms > 500:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        asking.cancel()
        await asyncio.wait([asking])


async def test_a_broker_that_is_away_at_the_first_question_is_waited_for(
    own_broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has just looked at its topics does not end for it."""
    monkeypatch.setattr(HighWaters, "every_s", 0.05)
    await own_broker.stop()
    curious = Driver({"media.text"})
    hub: Any = SimpleNamespace(drivers={0: curious})
    parts: Any = SimpleNamespace(now_ms=lambda: 17, fetched_high_water=lambda topic, p: 0)
    asking = asyncio.create_task(HighWaters(Cluster.of(own_broker.address), topic_prefix, hub, parts).run())
    await asyncio.sleep(0)
    await own_broker.start()
    await make_topics(own_broker.address, topic_prefix, 1)
    try:
        async with asyncio.timeout(30):
            while (await curious.answers.get())[0] is None:
                pass
        asking_now = next(task for task in asyncio.all_tasks() if "_md_synchronizer" in repr(task.get_coro()))
        asking_now.cancel()  # a routine of its consumer ends: it goes on anew, and answers go on
        async with asyncio.timeout(30):
            while (await curious.answers.get())[0] is None:
                pass
    finally:
        asking.cancel()
        await asyncio.wait([asking])
