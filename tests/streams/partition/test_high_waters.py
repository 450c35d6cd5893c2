"""streams/kafka/cluster_watch.py: high watermarks and partition counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions

from streams.kafka import cluster_watch as watch
from streams.kafka.batch_consumer import Ends
from streams.kafka.cluster_watch import PartitionsChangedError, count_partitions, watch_partitions
from streams.partition.high_waters import HighWaters, LagWatch
from streams.settings import WorkerSettings
from syncline.errors import AccessError, BrokerError, MissingRightError
from syncline.kafka.cluster import Cluster
from syncline.kafka.partition_counts import Nodes
from syncline.wire.contract import ALL_TOPICS
from tests.support.broker_admin import admin_of
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics
from tests.support.transactions import transactional


class Driver:
    """Wants to know some topics, and notes the answers; how far all reach is told it too."""

    def __init__(self, topics: set[str]) -> None:
        self.owner = SimpleNamespace(topics_to_ask=lambda: topics)
        self.answers: asyncio.Queue[tuple[dict[str, int] | None, int]] = asyncio.Queue()

    def on_high_water(self, high_water: dict[str, int] | None, asked_ms: int) -> None:
        self.answers.put_nowait((high_water, asked_ms))

    def unnamed(self) -> tuple[()]:
        return ()

    def on_ends(self, high_water: dict[str, int], asked_ms: int) -> None:
        self.answers.put_nowait((high_water, asked_ms))


def context_of(
    broker: TestBroker,
    prefix: str,
    now_ms: Callable[[], int] = lambda: 17,
    ends: Callable[[str, int], Ends] = lambda topic, p: Ends(0, 0),
) -> Any:
    """A worker's parts, as far as they are asked for here."""
    return SimpleNamespace(
        cluster=Cluster.of(broker.address),
        settings=WorkerSettings(topic_prefix=prefix),
        now_ms=now_ms,
        consumer=SimpleNamespace(fetched_ends=ends),
    )


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
    manager: Any = SimpleNamespace(drivers={1: curious, 0: content})
    context = context_of(broker, topic_prefix, ends=lambda topic, p: Ends(9, 11) if "image" in topic else Ends(0, 0))
    asking = asyncio.create_task(HighWaters(manager, context).run())
    try:
        answer = await asyncio.wait_for(curious.answers.get(), 300)
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    assert answer == ({"media.text": 3, "media.image": 9}, 17)
    assert content.answers.empty()


@pytest.mark.apache
async def test_what_an_open_transaction_holds_back_is_not_asked_of_anybody(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can read beyond the last stable offset: who waited for the high watermark would never be caught up."""
    monkeypatch.setattr(HighWaters, "every_s", 0.05)
    await make_topics(broker.address, topic_prefix, 1)
    topic, curious = topic_prefix + "media.text", Driver({"media.text"})
    manager: Any = SimpleNamespace(drivers={0: curious})
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        await producer.send_and_wait(topic, b"x", partition=0)
    async with transactional(broker, topic_prefix) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"x", partition=0)
        asking = asyncio.create_task(HighWaters(manager, context_of(broker, topic_prefix)).run())
        try:
            assert (await asyncio.wait_for(curious.answers.get(), 300))[0] == {"media.text": 1}
            await producer.abort_transaction()
            async with asyncio.timeout(300):
                while (await curious.answers.get())[0] != {"media.text": 3}:
                    pass
        finally:
            asking.cancel()
            await asyncio.wait([asking])


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
    manager: Any = SimpleNamespace(drivers={1: content})
    watch_ = LagWatch(
        manager, context_of(own_broker, topic_prefix, lambda: int((time.monotonic() - started_s) * 1_000))
    )
    asking = asyncio.create_task(watch_.run())
    try:
        answer, _ = await asyncio.wait_for(content.answers.get(), 300)
        assert answer == {"media.image": 0, "media.text": 1, "media.audio": 0, "decisions": 1}
        await own_broker.stop()
        async with asyncio.timeout(300):
            while watch_.silent_ms < 1_000:  # noqa: ASYNC110 (silence has no event)
                await asyncio.sleep(0.05)
        await own_broker.start()
        async with asyncio.timeout(300):
            while watch_.silent_ms > 500:
                await content.answers.get()
    finally:
        asking.cancel()
        await asyncio.wait([asking])


async def test_partitions_are_counted_and_what_is_missing_is_named(broker: TestBroker, topic_prefix: str) -> None:
    """With the command that mends it; to ask makes no topic."""
    async with Nodes(Cluster.of(broker.address)) as nodes:
        for _ in range(2):
            count, trouble = await count_partitions(nodes, topic_prefix)
            assert count == 0
            assert f"{topic_prefix}media.image" in trouble
            assert "syncline topics create" in trouble
        await make_topics(broker.address, topic_prefix, 3)
        assert await count_partitions(nodes, topic_prefix) == (3, "")


async def test_a_broker_that_went_away_is_asked_again(own_broker: TestBroker, topic_prefix: str) -> None:
    """It is an error while it is away, and no answer."""
    await make_topics(own_broker.address, topic_prefix, 1)
    async with Nodes(Cluster.of(own_broker.address)) as nodes:
        assert (await count_partitions(nodes, topic_prefix))[0] == 1
        await own_broker.stop()
        for _ in range(2):
            with pytest.raises(BrokerError):
                await count_partitions(nodes, topic_prefix)
        await own_broker.start()
        await make_topics_again(own_broker, topic_prefix)
        assert (await count_partitions(nodes, topic_prefix))[0] == 1


async def make_topics_again(broker: TestBroker, prefix: str) -> None:
    """Tansu forgets all topics with its process."""
    if broker.kind == "tansu":
        await make_topics(broker.address, prefix, 1)


@pytest.mark.parametrize("code", [5, 29], ids=["no leader", "not allowed"])
async def test_a_topic_of_which_a_node_cannot_say_it_is_not_known_and_not_gone(code: int) -> None:
    """An answer that names an error for it is none."""
    topics = [{"topic": "media.text", "error_code": code, "partitions": []}]
    answer = SimpleNamespace(to_object=lambda: {"brokers": [{"node_id": 1}], "topics": topics})
    nodes = Nodes(Cluster.of("localhost:1"))
    nodes._client = SimpleNamespace(send=AsyncMock(return_value=answer), close=AsyncMock())
    async with nodes:
        with pytest.raises(BrokerError, match="cannot say how many partitions"):
            await count_partitions(nodes, "")


class Hub:
    """Notes why it is halted."""

    def __init__(self) -> None:
        self.halted: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def halt(self, why: str) -> None:
        self.halted.set_result(why)


async def test_one_odd_answer_halts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do two, nor a node that fails: the next ones are as they were."""
    monkeypatch.setattr(watch, "COUNT_EVERY_S", 0.001)
    monkeypatch.setattr(watch, "DOUBT_EVERY_S", 0.001)
    answers = [(4, "")] * 3 + [(0, "no topic x"), (0, "no topic x"), (4, ""), (8, "")] + [(4, "")] * 3

    async def answer(nodes: Nodes, prefix: str) -> tuple[int, str]:
        if len(answers) == 5:
            answers.pop()
            raise BrokerError("away")
        if not answers:
            raise asyncio.CancelledError
        return answers.pop(0)

    monkeypatch.setattr(watch, "count_partitions", answer)
    manager: Any = Hub()
    with pytest.raises(asyncio.CancelledError):
        await watch_partitions(Cluster.of("localhost:1"), "", manager, 4)
    assert not manager.halted.done()


async def test_a_worker_waits_for_a_right_and_not_for_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator gives the one while it waits; the other is a setting of its own."""
    monkeypatch.setattr(watch, "WAIT_FOR_TOPICS_S", 0.001)
    answers = [MissingRightError("lacks Read"), BrokerError("away"), AccessError("wrong password")]

    async def answer(*_: Any) -> None:
        raise answers.pop(0)

    monkeypatch.setattr(watch, "require_rights", answer)
    heard: list[str] = []
    with pytest.raises(AccessError, match="wrong password"):
        await watch.wait_for_topics(Cluster.of("localhost:1"), "", "workers", heard.append)
    assert heard == ["lacks Read", "away"]


@pytest.mark.apache
async def test_a_change_of_the_number_halts_the_worker_and_ends_it_once_all_are_equal(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the numbers; as long as they differ it waits, halted."""
    monkeypatch.setattr(watch, "COUNT_EVERY_S", 0.05)
    await make_topics(broker.address, topic_prefix, 2)
    manager: Any = Hub()
    watching = asyncio.create_task(watch_partitions(Cluster.of(broker.address), topic_prefix, manager, 2))
    async with admin_of(broker) as admin:
        await admin.create_partitions({topic_prefix + "media.text": NewPartitions(3)})
        assert f"{topic_prefix}media.text 3" in await asyncio.wait_for(manager.halted, 300)
        assert not watching.done()
        others = [topic for topic in ALL_TOPICS if topic != "media.text"]
        await admin.create_partitions({topic_prefix + topic: NewPartitions(3) for topic in others})
        with pytest.raises(PartitionsChangedError, match="all topics have 3 partitions"):
            await asyncio.wait_for(watching, 300)


async def test_a_worker_without_partitions_hears_that_nobody_answers(
    own_broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a spare one whose certificate has expired /readyz must say so: it has nothing else to ask for."""
    monkeypatch.setattr(LagWatch, "every_s", 0.05)
    started_s = time.monotonic()
    manager: Any = SimpleNamespace(drivers={})
    context = context_of(own_broker, topic_prefix, lambda: int((time.monotonic() - started_s) * 1_000))
    lag_watch = LagWatch(manager, context)
    asking = asyncio.create_task(lag_watch.run())
    try:
        async with asyncio.timeout(300):
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
    manager: Any = SimpleNamespace(drivers={0: curious})
    asking = asyncio.create_task(HighWaters(manager, context_of(own_broker, topic_prefix)).run())
    await asyncio.sleep(0)
    await own_broker.start()
    await make_topics(own_broker.address, topic_prefix, 1)
    try:
        async with asyncio.timeout(300):
            while (await curious.answers.get())[0] is None:
                pass
        asking_now = next(task for task in asyncio.all_tasks() if "_md_synchronizer" in repr(task.get_coro()))
        asking_now.cancel()  # a routine of its consumer ends: it goes on anew, and answers go on
        async with asyncio.timeout(300):
            while (await curious.answers.get())[0] is None:
                pass
    finally:
        asking.cancel()
        await asyncio.wait([asking])
