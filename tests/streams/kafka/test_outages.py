"""Outages that last longer than every time-out, in simulated time: streams/kafka/topic_sender.py over producer.py.

The brokers are not real here, and minutes pass in a moment. tests/guarantees/long_outage.py has real ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from streams.decisions.records import Task
from streams.join.items import RunDecision
from streams.kafka import producer as publish
from streams.kafka.producer import Producer
from streams.kafka.topic_sender import TopicSender
from syncline.errors import BrokerError
from syncline.kafka.cluster import Cluster
from syncline.wire.results import OutgoingRecord
from tests.support.virtual_time import run_virtually

AFTER_S = 10.0
FAULTS = ("refused", "silent", "away")
"""By which a topic takes nothing: its limit is 1 byte; too few replicas are in sync; the broker is away."""


class Broker:
    """Takes batches of every topic, but for those of which it is told; makes and counts producers."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.taken: dict[str, list[int]] = defaultdict(list)
        self.n_started = self.n_attempts = 0
        self.ended: set[FakeProducer] = set()
        self.over = asyncio.Event()

    async def start_producer(self, cluster: Cluster, **options: Any) -> FakeProducer:
        if self.fault == "away":
            raise BrokerError("nobody answers")
        self.n_started += 1
        return FakeProducer(self)

    async def takes(self, cluster: Cluster, topic: str, record: OutgoingRecord) -> bool:
        return True  # less than any record, so it is no limit


class FakeProducer:
    """What producer.py uses of aiokafka's."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._closed, self._txn_manager = broker, False, None
        self._message_accumulator = self
        self._batches: dict[TopicPartition, deque[Any]] = {}
        self._sender = SimpleNamespace(sender_task=asyncio.ensure_future(asyncio.Event().wait()))
        self.client = SimpleNamespace(close=self._end, _sync_task=None, _conns={}, _md_update_fut=None)
        self._deliveries: set[asyncio.Future[None]] = set()

    async def _end(self) -> None:
        self._broker.ended.add(self)
        for delivery in self._deliveries:
            delivery.cancel()

    async def close(self) -> None:
        if self._deliveries:
            await asyncio.wait(self._deliveries)

    def create_batch(self) -> FakeBuilder:
        return FakeBuilder()

    async def send_batch(self, builder: FakeBuilder, topic: str, *, partition: int) -> asyncio.Future[None]:
        delivery = asyncio.ensure_future(self._send(builder, topic))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)
        self._batches[TopicPartition(topic, partition)] = deque([FakeBatch(delivery)])
        return asyncio.shield(delivery)

    async def _send(self, builder: FakeBuilder, topic: str) -> None:
        broker = self._broker
        broker.n_attempts += 1
        await asyncio.sleep(0.002)
        if topic == "bad" and broker.fault == "refused":
            raise MessageSizeTooLargeError
        if broker.fault == "away" or (topic == "bad" and broker.fault):
            await broker.over.wait()
        broker.taken[topic] += builder.values


class FakeBatch:
    def __init__(self, delivery: asyncio.Future[None]) -> None:
        self._delivery = delivery

    def failure(self, exception: Exception) -> None:
        self._delivery.cancel()


class FakeBuilder:
    def __init__(self) -> None:
        self.values: list[int] = []

    def append(self, *, key: bytes, value: bytes, timestamp: None, headers: Any) -> bool | None:
        if len(self.values) == 10:
            return None
        self.values.append(int(value))
        return True

    def close(self) -> None:
        pass

    def size(self) -> int:
        return 100


def task() -> Task:
    return Task(RunDecision("media.image", 0, 0, "unfused", "late"), [("media.image", 0)], 0)


async def _outage(broker: Broker, minutes: int) -> tuple[int, int, float]:
    """How many producers and tasks there were in the end of it, and how long it took to be well."""
    loop, published = asyncio.get_running_loop(), asyncio.Queue[Task]()
    producer = Producer(Cluster.of("nowhere:9092"))

    def done(tasks: list[Task]) -> None:
        for one in tasks:
            published.put_nowait(one)

    def broken(error: BaseException) -> None:
        raise AssertionError from error

    box = TopicSender(producer, "", 0, lambda tasks: None, done, broken)
    for number in range(60 * minutes):  # one a second, for each of two topics
        for topic in ("bad", "good"):
            box.put(task(), [OutgoingRecord(topic, b"k", b"%d" % number, [])])
        await asyncio.sleep(1.0)
        if broker.fault != "away":
            assert broker.taken["good"] == list(range(number + 1))
    n_producers, n_tasks = broker.n_started - len(broker.ended), len(asyncio.all_tasks())
    broker.fault, over_s = "", loop.time()
    broker.over.set()
    while published.qsize() < 2 * 60 * minutes:  # noqa: ASYNC110 (nothing tells of it)
        await asyncio.sleep(0.1)
    took_s = loop.time() - over_s
    for topic in ("bad", "good"):
        assert list(dict.fromkeys(broker.taken[topic])) == list(range(60 * minutes))
    box.close()
    await producer.stop()
    assert len(broker.ended) == broker.n_started
    return n_producers, n_tasks, took_s


@pytest.mark.parametrize("minutes", [2, 10, 30])
@pytest.mark.parametrize("fault", FAULTS)
def test_an_outage_longer_than_every_time_out_costs_nothing_that_grows(
    fault: str, minutes: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Producers and tasks are as many after 30 minutes as after 2, little is said, and all is well 10 s after its end.

    The other topic does not wait; each topic's records come in their order, and none is missing.
    """
    broker = Broker(fault)
    monkeypatch.setattr(publish, "start_producer", broker.start_producer)
    monkeypatch.setattr(publish, "takes", broker.takes)
    caplog.set_level(logging.INFO)
    n_producers, n_tasks, took_s = run_virtually(_outage(broker, minutes))
    assert n_producers <= 1
    assert n_tasks <= 12
    assert took_s <= AFTER_S
    assert broker.n_started <= 3 + minutes / 3
    assert broker.n_attempts <= 60 * minutes * 3
    told = [one.getMessage() for one in caplog.records if one.name.startswith("streams.")]
    assert len(told) <= 4 + minutes
    assert sum("works again" in line for line in told) == (2 if fault == "away" else 1)
