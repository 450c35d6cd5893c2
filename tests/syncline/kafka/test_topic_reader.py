"""Laws of `syncline.kafka.topic_reader`."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from syncline.errors import BrokerError
from syncline.kafka.cluster import Cluster
from syncline.kafka.topic_reader import OffsetSpan, TopicReader
from syncline.wire.contract import DEADLETTER, UNFUSED
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics

N_PARTITIONS = 2


async def write(broker: TestBroker, topic: str, *values: bytes) -> int:
    """Write values to partition 0; the time of the last one, as the broker or the client stamped it."""
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
    return int(time.time() * 1_000)


async def read(reader: TopicReader, topic: str, spans: dict[tuple[str, int], OffsetSpan]) -> list[tuple[int, bytes]]:
    """(offset, value) of what is in the spans of partition 0."""
    found: list[Any] = []
    async for _, raws in reader.read(topic, {number: span for (_, number), span in spans.items()}):
        found += raws
    return [(raw.offset, raw.value) for raw in found]


async def test_what_is_there_now_is_read_and_nothing_that_comes_after(broker: TestBroker, topic_prefix: str) -> None:
    """The ends are those of the moment when they were asked for, though Tansu counts a batch as one record."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    topic = topic_prefix + UNFUSED
    await write(broker, topic, b"0", b"1", b"2")
    async with TopicReader(Cluster.of(broker.address), topic_prefix, [UNFUSED]) as reader:
        spans = await reader.spans([UNFUSED])
        assert spans == {(UNFUSED, 0): OffsetSpan(0, 3), (UNFUSED, 1): OffsetSpan(0, 0)}
        await write(broker, topic, b"3")
        assert await read(reader, UNFUSED, spans) == [(0, b"0"), (1, b"1"), (2, b"2")]


async def test_a_span_can_begin_at_a_time(broker: TestBroker, topic_prefix: str) -> None:
    """At the first record appended then or later; where there is none it is empty."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    topic = topic_prefix + UNFUSED
    before_ms = await write(broker, topic, b"0", b"1")
    await asyncio.sleep(0.05)  # the broker's clock and ours count in ms
    after_ms = await write(broker, topic, b"2")
    async with TopicReader(Cluster.of(broker.address), topic_prefix, [UNFUSED]) as reader:
        spans = await reader.spans([UNFUSED])
        for at_ms, expected in ((0, [0, 1, 2]), (before_ms + 20, [2]), (after_ms + 60_000, [])):
            part = await reader.since(spans, dict.fromkeys(spans, at_ms))
            assert [offset for offset, _ in await read(reader, UNFUSED, part)] == expected


async def test_a_topic_that_is_not_there_is_named(broker: TestBroker, topic_prefix: str) -> None:
    """With the command that makes it; it is not created."""
    with pytest.raises(BrokerError, match=f"{topic_prefix}{DEADLETTER}; make them with: syncline topics create"):
        async with TopicReader(Cluster.of(broker.address), topic_prefix, [DEADLETTER]):
            pass
