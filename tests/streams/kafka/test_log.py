"""streams/kafka/log.py against real brokers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from operator import attrgetter

import pytest
from aiokafka import AIOKafkaProducer

from streams.decisions.entries import HEADER, LogRecord, version_headers
from streams.kafka.log import LogReader, LogTail
from syncline.kafka.cluster import Cluster
from syncline.kafka.topics import TopicPlan, create_topics
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics


async def append(broker: TestBroker, topic: str, partition: int, values: list[bytes]) -> None:
    """Entries as the worker appends them, one a batch."""
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=partition)


@pytest.fixture
async def topic(broker: TestBroker, topic_prefix: str) -> str:
    """An empty log of two partitions."""
    await make_topics(broker.address, topic_prefix, 2)
    return topic_prefix + "decisions"


async def test_an_empty_log_starts_and_ends_at_0(broker: TestBroker, topic: str) -> None:
    """There is nothing to read."""
    async with LogReader(Cluster.of(broker.address), topic, 1) as reader:
        assert await reader.bounds() == (0, 0)


async def test_stretches_are_read_in_any_order(broker: TestBroker, topic: str) -> None:
    """Recovery reads backwards, in chunks: exactly what was asked for, in offset order."""
    await append(broker, topic, 1, [b"%d" % n for n in range(40)])
    async with LogReader(Cluster.of(broker.address), topic, 1) as reader:
        assert await reader.bounds() == (0, 40)
        for start, stop in ((30, 40), (10, 30), (0, 10), (5, 6)):
            assert await reader.read(start, stop) == [LogRecord(n, b"%d" % n) for n in range(start, stop)]


async def test_the_version_of_an_entry_is_read_from_its_header(broker: TestBroker, topic: str) -> None:
    """Of several headers ours counts; a record without it has no version, a null value no bytes."""
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        await producer.send_and_wait(topic, b"a", partition=0, headers=[("other", b"x"), *version_headers()])
        await producer.send_and_wait(topic, None, b"k", partition=0)
    async with LogReader(Cluster.of(broker.address), topic, 0) as reader:
        version = dict(version_headers())[HEADER]
        assert await reader.read(0, 2) == [LogRecord(0, b"a", version), LogRecord(1, b"", None)]


class Followed:
    """Collects what the tail gives."""

    def __init__(self) -> None:
        self.entries: list[LogRecord] = []
        self._changed = asyncio.Event()

    def __call__(self, entries: list[LogRecord]) -> None:
        self.entries += entries
        self._changed.set()

    async def until(self, n_entries: int) -> None:
        async with asyncio.timeout(300):
            while len(self.entries) < n_entries:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def tail(broker: TestBroker, topic: str) -> AsyncIterator[LogTail]:
    tail = LogTail(Cluster.of(broker.address), topic)
    await tail.start()
    yield tail
    await tail.stop()


async def test_the_tail_gives_each_entry_once_while_partitions_come_and_go(
    broker: TestBroker, topic: str, tail: LogTail
) -> None:
    """Following another partition, or leaving one, neither repeats nor loses an entry of those that are kept."""
    await append(broker, topic, 0, [b"old"] * 3)
    first, second = Followed(), Followed()
    tail.follow(0, 2, first)
    await first.until(1)
    for n in range(10):
        if n % 2:
            tail.leave(1)
        else:
            tail.follow(1, 0, second)
        await append(broker, topic, 0, [b"%d" % n])
        await first.until(n + 2)
    assert first.entries == [LogRecord(2, b"old"), *(LogRecord(n + 3, b"%d" % n) for n in range(10))]
    assert second.entries == []


async def test_a_partition_that_was_left_is_heard_no_more(broker: TestBroker, topic: str, tail: LogTail) -> None:
    """Nothing of an old assignment may act."""
    left, kept = Followed(), Followed()
    tail.follow(0, 0, left)
    tail.follow(1, 0, kept)
    await append(broker, topic, 0, [b"a"])
    await left.until(1)
    tail.leave(0)
    await append(broker, topic, 0, [b"b"])
    await append(broker, topic, 1, [b"c"])
    await kept.until(1)
    assert left.entries == [LogRecord(0, b"a")]


@pytest.mark.parametrize("routine", ["_fetcher._fetch_task", "_client._sync_task"])
async def test_the_tail_goes_on_when_a_routine_of_its_consumer_has_ended(
    broker: TestBroker, topic: str, tail: LogTail, routine: str
) -> None:
    """Each entry comes once; nobody else would notice: polls bring nothing, and no error."""
    followed = Followed()
    tail.follow(0, 0, followed)
    await append(broker, topic, 0, [b"a"])
    await followed.until(1)
    attrgetter(routine)(tail._consumer).cancel()
    await append(broker, topic, 0, [b"b", b"c"])
    await followed.until(3)
    assert [entry.data for entry in followed.entries] == [b"a", b"b", b"c"]


async def test_a_broker_that_is_away_when_the_tail_begins_is_waited_for(
    own_broker: TestBroker, topic_prefix: str
) -> None:
    """It was there a moment ago, when the topics were looked at; what is in the way is said meanwhile."""
    await own_broker.stop()
    tail, followed = LogTail(Cluster.of(own_broker.address), topic_prefix + "decisions"), Followed()
    await tail.start()
    try:
        tail.follow(0, 0, followed)
        async with asyncio.timeout(300):
            while not tail.failing:  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.01)
        await own_broker.start()
        # Not `make_topics`: the tail's own question may have made its topic by now, as Tansu does.
        await create_topics(own_broker.address, TopicPlan(n_partitions=1, prefix=topic_prefix))
        await append(own_broker, topic_prefix + "decisions", 0, [b"a"])
        await followed.until(1)
        assert tail.failing == ""
    finally:
        await tail.stop()
