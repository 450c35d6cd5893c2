"""Results that are more than their topics take, on a real Apache Kafka: streams/kafka/topic_sender.py and limits.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.decisions.records import Task
from streams.join.items import RunDecision
from streams.kafka import producer as limits
from streams.kafka.producer import UNTOLD_LIMIT_BYTES, Producer, takes
from streams.kafka.topic_sender import TopicSender
from syncline.kafka.cluster import Cluster
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.arrays import from_numpy
from syncline.wire.contract import CONVERTED_TEXT, DEADLETTER, FUSED
from syncline.wire.converted import ConvertedText, decode_converted, encode_converted
from syncline.wire.deadletters import decode_dead_letter, encode_dead_letter
from syncline.wire.results import FusedResult, OutgoingRecord, ResultMember, decode_fused, encode_fused
from tests.support.broker_admin import admin_of
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics

LIMIT_BYTES = 4_000


def result(number: int, *, n_words: int = 0, n_embedding: int = 0, n_members: int = 1) -> OutgoingRecord:
    words = tuple(("word", "n") for _ in range(n_words))
    members = tuple(
        ResultMember("text", "text", "urn:x", "1", "media.text", 0, n, 1_000, words=words) for n in range(n_members)
    )
    embedding = from_numpy(np.ones(n_embedding, np.float32)) if n_embedding else None
    return encode_fused(
        FusedResult(
            id=str(number), stream="s", start_ms=1_000, end_ms=1_000, outcome="complete", reason="complete",
            missing=(), members=members, embedding=embedding,
        )
    )  # fmt: skip


def task() -> Task:
    return Task(RunDecision("media.image", 0, 0, "unfused", "late"), [("media.image", 0)], 0)


class Sending:
    """An outbox over a real producer."""

    def __init__(self, broker: TestBroker, prefix: str) -> None:
        self.producer = Producer(Cluster.of(broker.address))
        self.published: asyncio.Queue[Task] = asyncio.Queue()
        self.too_large: asyncio.Queue[Task] = asyncio.Queue()
        self.broken: list[BaseException] = []
        self.box = TopicSender(
            self.producer, prefix, 0, lambda tasks: None, self._published, self.broken.append, self.too_large.put_nowait
        )

    def _published(self, tasks: list[Task]) -> None:
        for one in tasks:
            self.published.put_nowait(one)

    async def until_published(self, n_tasks: int) -> None:
        async with asyncio.timeout(300):
            for _ in range(n_tasks):
                await self.published.get()


@pytest.fixture
async def sending(broker: TestBroker, topic_prefix: str) -> AsyncIterator[Sending]:
    await create_topics(broker.address, TopicPlan(n_partitions=1, prefix=topic_prefix, max_message_bytes=LIMIT_BYTES))
    sending = Sending(broker, topic_prefix)
    yield sending
    sending.box.close()
    await sending.producer.stop()
    assert sending.broken == []


async def read(broker: TestBroker, topic: str, n_records: int) -> list[Any]:
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return [await consumer.getone() for _ in range(n_records)]


@pytest.mark.apache
async def test_results_are_cut_until_their_topic_takes_them(
    broker: TestBroker, topic_prefix: str, sending: Sending
) -> None:
    """In their order, each by no more than it must be; a result that fits is whole."""
    for number, (n_words, n_embedding) in enumerate([(2, 4), (2_000, 4), (2_000, 2_000), (0, 2_000), (2, 4)]):
        sending.box.put(task(), [result(number, n_words=n_words, n_embedding=n_embedding)])
    await sending.until_published(5)
    found = [decode_fused(one.value) for one in await read(broker, topic_prefix + FUSED, 5)]
    assert [one.id for one in found] == ["0", "1", "2", "3", "4"]
    assert [one.cut for one in found] == [(), ("words",), ("words", "embedding"), ("embedding",), ()]
    assert sending.box.failing == {}


@pytest.mark.apache
async def test_a_conversion_too_large_for_its_topic_is_published_as_that(
    broker: TestBroker, topic_prefix: str, sending: Sending
) -> None:
    """Its limit may be lower than ours: it must not stand still for it."""
    said = ConvertedText(
        id="c", stream="s", lane="audio", modality="audio", source="urn:x", event_id="1", topic="media.audio",
        partition=0, offset=5, time_ms=1_000, kind="transcript", text="x" * 5_000, score=0.5,
    )  # fmt: skip
    sending.box.put(task(), [encode_converted(said)])
    await sending.until_published(1)
    (record,) = await read(broker, topic_prefix + CONVERTED_TEXT, 1)
    assert (decode_converted(record.value).reason, decode_converted(record.value).text) == ("conversion_too_large", "")


@pytest.mark.apache
async def test_a_result_that_cannot_be_cut_enough_is_told_and_what_replaces_it_goes(
    broker: TestBroker, topic_prefix: str, sending: Sending
) -> None:
    """Nothing of its topic overtakes it meanwhile."""
    fat, behind = task(), task()
    sending.box.put(fat, [result(0, n_members=60)])
    sending.box.put(behind, [result(1)])
    assert await asyncio.wait_for(sending.too_large.get(), 300) is fat
    assert sending.published.empty()
    assert FUSED in sending.box.failing
    letter = encode_dead_letter(
        reason="too_large", detail="", topic="media.text", partition=0, offset=5, key=b"s", value=b"x", headers=[],
        timestamp_ms=1_000, set_id="0",
    )  # fmt: skip
    assert sending.box.replace(fat, [letter])
    await sending.until_published(2)
    (record,) = await read(broker, topic_prefix + DEADLETTER, 1)
    assert decode_dead_letter(record.key, record.value, record.headers).set_id == "0"
    assert [decode_fused(one.value).id for one in await read(broker, topic_prefix + FUSED, 1)] == ["1"]


@pytest.mark.apache
async def test_a_topic_that_takes_nothing_for_a_while_gets_everything_whole(
    broker: TestBroker, topic_prefix: str
) -> None:
    """`max.message.bytes=1` is an outage, whatever the broker calls it: no set fails by it, no word is lost."""
    await make_topics(broker.address, topic_prefix, 1)
    sending = Sending(broker, topic_prefix)
    try:
        await limit(broker, topic_prefix + FUSED, 1)
        n_sent = 0
        async with asyncio.timeout(300):
            while FUSED not in sending.box.failing:  # a topic's new limit does not hold at once
                sending.box.put(task(), [result(n_sent, n_words=5, n_embedding=5, n_members=9)])
                n_sent += 1
                await asyncio.sleep(0.05)
        await limit(broker, topic_prefix + FUSED, 1_000_000)
        await sending.until_published(n_sent)
        found = [decode_fused(record.value) for record in await read(broker, topic_prefix + FUSED, n_sent)]
        assert [(int(one.id), one.cut) for one in found] == [(number, ()) for number in range(n_sent)]
        assert sending.too_large.empty()
    finally:
        sending.box.close()
        await sending.producer.stop()


async def limit(broker: TestBroker, topic: str, n_bytes: int) -> None:
    async with admin_of(broker) as admin:
        answers = await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(n_bytes)})]
        )
        assert all(code == 0 for answer in answers for code, *_ in answer.resources)


@pytest.mark.parametrize("n_bytes", [10, UNTOLD_LIMIT_BYTES + 1])
async def test_where_the_limit_is_not_told_size_decides(n_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that does not tell it, or not to this client: what is small is waited for."""

    async def nothing(cluster: object, name: object) -> None:
        return None

    monkeypatch.setattr(limits, "read_limit", nothing)
    assert await takes(Cluster.of("nowhere:1"), "t", OutgoingRecord(FUSED, None, bytes(n_bytes), [])) == (n_bytes == 10)
