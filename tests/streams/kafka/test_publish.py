"""streams/kafka/publish.py: order, batches and repeats of what is published."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from streams.decisions.records import Task
from streams.join.model import RunDecision
from streams.kafka import publish
from streams.kafka.publish import Outbox, Producer
from syncline.cluster import Cluster
from syncline.errors import BrokerError
from syncline.results import Record
from syncline.topics import TopicPlan, create_topics
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics


class Broker:
    """Stands for the producer: takes at most `room` records at a time, fails as often as told."""

    def __init__(self, room: int = 3) -> None:
        self.room, self.n_failures = room, 0
        self.sent: list[tuple[str, bytes]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, topic: str, partition: int, records: Sequence[Record]) -> int:
        await self.open.wait()
        if self.n_failures:
            self.n_failures -= 1
            raise KafkaTimeoutError
        taken = records[: self.room]
        self.sent += [(topic, record.value) for record in taken]
        return len(taken)


def task() -> Task:
    return Task(RunDecision("media.image", 0, 0, "unfused", "late"), [("media.image", 0)], 0)


def record(topic: str, value: int) -> Record:
    return Record(topic, b"k", b"%d" % value, [])


class Published:
    """Collects the tasks that are on the broker."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self._changed = asyncio.Event()

    def __call__(self, tasks: list[Task]) -> None:
        self.tasks += tasks
        self._changed.set()

    async def until(self, n_tasks: int) -> None:
        async with asyncio.timeout(10):
            while len(self.tasks) < n_tasks:
                self._changed.clear()
                await self._changed.wait()


def _nothing_breaks(error: BaseException) -> None:
    raise AssertionError from error


def outbox(
    broker: Broker,
    published: Callable[[list[Task]], None],
    on_broken: Callable[[BaseException], None] = _nothing_breaks,
) -> Outbox:
    return Outbox(cast(Producer, broker), "p.", 0, published, on_broken)


async def test_each_topic_keeps_its_order_over_batches_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed send is repeated before anything later goes."""
    monkeypatch.setattr(publish, "RETRY_S", 0.001)
    broker, published = Broker(), Published()
    broker.n_failures = 2
    box = outbox(broker, published)
    tasks = [task() for _ in range(20)]
    for number, one in enumerate(tasks):
        box.put(one, [record("a", number), record("b", number)])
    await published.until(20)
    for topic in ("p.a", "p.b"):
        assert [value for name, value in broker.sent if name == topic] == [b"%d" % n for n in range(20)]
    assert set(published.tasks) == set(tasks)
    assert box.failing == {}
    box.close()


async def test_a_task_is_published_when_all_its_records_are_on_the_broker() -> None:
    """Not when its first is; one without records is at once."""
    broker, published = Broker(), Published()
    box = outbox(broker, published)
    broker.open.clear()
    both, none = task(), task()
    box.put(both, [record("a", 1), record("b", 1)])
    box.put(none, [])
    assert published.tasks == [none]
    broker.open.set()
    await published.until(2)
    assert published.tasks == [none, both]
    assert len(broker.sent) == 2
    box.close()


async def test_the_end_of_a_sender_is_not_overlooked() -> None:
    """Its topic would stand still for good while everything else goes on: whoever keeps the outbox is told."""
    broken: asyncio.Queue[BaseException] = asyncio.Queue()

    def refuse(tasks: list[Task]) -> None:
        raise ValueError("nobody foresaw this")

    box = outbox(Broker(), refuse, broken.put_nowait)
    box.put(task(), [record("a", 1)])
    assert "nobody foresaw this" in str(await asyncio.wait_for(broken.get(), 10))
    box.put(task(), [record("b", 1)])
    for sender in asyncio.all_tasks():
        if sender.get_name() == "outbox-b-0":
            sender.cancel()
    assert "was cancelled" in str(await asyncio.wait_for(broken.get(), 10))
    box.close()
    await asyncio.sleep(0)
    assert broken.empty()


async def test_a_topic_that_fails_is_named_and_does_not_hold_up_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reason is there for /readyz as long as it lasts."""
    monkeypatch.setattr(publish, "RETRY_S", 0.001)

    class OneFails(Broker):
        async def send(self, topic: str, partition: int, records: Sequence[Record]) -> int:
            if topic == "p.bad":
                raise KafkaTimeoutError
            return await super().send(topic, partition, records)

    broker, published = OneFails(), Published()
    box = outbox(broker, published)
    box.put(task(), [record("bad", 1)])
    good = task()
    box.put(good, [record("good", 1)])
    await published.until(1)
    assert published.tasks == [good]
    async with asyncio.timeout(10):
        while "bad" not in box.failing:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0)
    box.close()


async def test_a_dead_letter_that_its_topic_does_not_take_goes_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sent again and again as it is, it would stop all that is behind it; a result of another topic is kept whole."""
    monkeypatch.setattr(publish, "RETRY_S", 0.001)

    class Small(Broker):
        async def send(self, topic: str, partition: int, records: Sequence[Record]) -> int:
            if len(records[0].value) > 100:
                raise MessageSizeTooLargeError
            return await super().send(topic, partition, records)

    broker, published = Small(room=1), Published()
    box = outbox(broker, published)
    box.put(task(), [Record("deadletter", b"k", bytes(101), []), record("deadletter", 1)])
    box.put(task(), [Record("results.fused", b"k", bytes(101), [])])
    await published.until(1)
    assert broker.sent == [("p.deadletter", b""), ("p.deadletter", b"1")]
    async with asyncio.timeout(10):
        while "results.fused" not in box.failing:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0)
    box.close()


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
        records = [Record("unfused", b"k", b"x" * size, [("h", b"v")]) for size in (300, 300, 5_000, 300)]
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
        records = [Record("unfused", b"k", b"x" * 1_000, []) for _ in range(40)]
        n_records = len(records)
        while records:
            del records[: await producer.send(topic, 0, records)]
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send(topic, 0, [Record("unfused", b"k", b"x" * 10_000, [])])
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
        async with asyncio.timeout(40):
            while True:
                with contextlib.suppress(KafkaError, BrokerError):
                    assert await producer.send(topic_prefix + "unfused", 0, [record("unfused", 1)]) == 1
                    break
    finally:
        await producer.stop()
