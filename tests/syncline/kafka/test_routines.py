"""syncline/kafka/routines.py: what aiokafka's clients do in the background is looked after, on real brokers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, RequestTimedOutError

from syncline.errors import BrokerError
from syncline.kafka.client import start_consumer, start_producer, stop_consumer
from syncline.kafka.cluster import Cluster
from syncline.kafka.partition_counts import Nodes
from syncline.kafka.routines import RoutineEndedError, client_of, look_after, revive, steady, unless_ended
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics

N_RECORDS = 20


async def send(broker: TestBroker, topic: str, first: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for number in range(first, first + N_RECORDS):
            await producer.send_and_wait(topic, b"%d" % number, partition=0)


@asynccontextmanager
async def reading(broker: TestBroker, topic: str, group: str | None) -> AsyncIterator[Any]:
    """A consumer that has read the first records of a topic."""
    consumer = await start_consumer(
        Cluster.of(broker.address), *([topic] if group else []), group_id=group, enable_auto_commit=False,
        auto_offset_reset="earliest", heartbeat_interval_ms=200, fetch_max_wait_ms=15,
    )  # fmt: skip
    try:
        if group is None:
            consumer.assign([TopicPartition(topic, 0)])
        assert await take(consumer, N_RECORDS) == list(range(N_RECORDS))
        yield consumer
    finally:
        await stop_consumer(consumer)


async def take(consumer: Any, n_records: int) -> list[int]:
    async with asyncio.timeout(300):
        return [int((await consumer.getone()).value) for _ in range(n_records)]


ROUTINES: dict[str, Callable[[Any], asyncio.Task[Any]]] = {
    "looking for leaders": lambda consumer: consumer._client._sync_task,
    "fetching": lambda consumer: consumer._fetcher._fetch_task,
    "the assignment": lambda consumer: consumer._coordinator._reset_committed_task,
    "coordination": lambda consumer: consumer._coordinator._coordination_task,
    "heartbeats": lambda consumer: consumer._coordinator._heartbeat_task,
    "committed offsets": lambda consumer: consumer._coordinator._commit_refresh_task,
}
IN_A_GROUP = ("looking for leaders", "fetching", "coordination", "heartbeats", "committed offsets")
ALONE = ("looking for leaders", "fetching", "the assignment")


@pytest.mark.parametrize(
    ("name", "in_a_group"), [*((name, True) for name in IN_A_GROUP), *((name, False) for name in ALONE)]
)
async def test_a_routine_that_has_ended_is_named_and_goes_on_anew(
    broker: TestBroker, topic_prefix: str, name: str, in_a_group: bool
) -> None:
    """Nothing that comes afterwards is lost or read twice, and a group keeps its member."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + "unfused"
    await send(broker, topic, 0)
    async with reading(broker, topic, topic_prefix + "g" if in_a_group else None) as consumer:
        assert look_after(consumer) == revive(consumer) == ""
        ROUTINES[name](consumer).cancel()
        async with asyncio.timeout(300):
            while not (ended := revive(consumer)):  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.01)
        assert ended.startswith(name)
        await send(broker, topic, N_RECORDS)
        assert await take(consumer, N_RECORDS) == list(range(N_RECORDS, 2 * N_RECORDS))
        assert look_after(consumer) == ""
        if in_a_group:
            generation = consumer._coordinator.generation
            await asyncio.wait_for(consumer.commit(), 300)
            assert await consumer.committed(TopicPartition(topic, 0)) == 2 * N_RECORDS
            assert consumer._coordinator.generation == generation


async def test_a_fetch_that_failed_does_not_end_the_next_one(broker: TestBroker, topic_prefix: str) -> None:
    """By an error that aiokafka did not foresee, its fetching ends: what ended it is left behind."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + "unfused"
    await send(broker, topic, 0)
    async with reading(broker, topic, None) as consumer:
        fetcher = consumer._fetcher
        sound = fetcher._proc_fetch_request

        async def fail(*args: Any) -> bool:
            raise ValueError("nobody foresaw this")

        fetcher._proc_fetch_request = fail
        taking = asyncio.ensure_future(take(consumer, N_RECORDS))
        async with asyncio.timeout(300):
            while not look_after(consumer):  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.01)
        fetcher._proc_fetch_request = sound
        await send(broker, topic, N_RECORDS)
        assert "nobody foresaw this" in revive(consumer)
        assert await taking == list(range(N_RECORDS, 2 * N_RECORDS))


async def test_a_connection_that_nobody_reads_is_closed_and_made_anew(broker: TestBroker, topic_prefix: str) -> None:
    """Whoever waits for its answer would wait for the time-out of the request."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + "unfused"
    await send(broker, topic, 0)
    async with reading(broker, topic, None) as consumer:
        for conn in consumer._client._conns.values():
            conn._read_task.cancel()
        await send(broker, topic, N_RECORDS)
        for conn in list(consumer._client._conns.values()):
            async with asyncio.timeout(300):
                while not conn._read_task or not conn._read_task.done():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        assert look_after(consumer) == ""
        assert await take(consumer, N_RECORDS) == list(range(N_RECORDS, 2 * N_RECORDS))


def closed(*args: Any, **more: Any) -> Any:
    """What uvloop does."""
    raise RuntimeError("the handler is closed")


async def test_an_error_of_the_event_loop_is_a_connection_error(broker: TestBroker) -> None:
    """uvloop raises a RuntimeError where somebody writes to a connection that was just reset."""
    producer = await start_producer(Cluster.of(broker.address))
    try:
        client = client_of(producer)
        (node,) = client.cluster.brokers()
        assert await client.ready(node.nodeId)
        (conn,) = (conn for (number, _), conn in client._conns.items() if number == node.nodeId)

        conn.send = closed
        with pytest.raises(KafkaConnectionError, match="handler is closed"):
            await client.send(node.nodeId, None)
    finally:
        await producer.stop()


async def test_what_kafkas_client_says_itself_is_left_as_it_is(broker: TestBroker) -> None:
    """Its errors are RuntimeErrors as well: a request without an answer in time is no connection that was lost."""
    producer = await start_producer(Cluster.of(broker.address))
    try:
        client = client_of(producer)
        (node,) = client.cluster.brokers()
        assert await client.ready(node.nodeId)
        (conn,) = (conn for (number, _), conn in client._conns.items() if number == node.nodeId)

        async def unanswered(*args: Any, **more: Any) -> None:
            raise TimeoutError

        conn.send = unanswered
        with pytest.raises(RequestTimedOutError):
            await client.send(node.nodeId, None)
    finally:
        await producer.stop()


async def test_nor_does_it_come_from_the_clients_that_count_partitions(broker: TestBroker) -> None:
    """A worker ended by it: whoever asks for the number of partitions asks again where a connection was just lost."""
    async with Nodes(Cluster.of(broker.address)) as nodes:
        await nodes.count(["none"])
        for conn in nodes._client._conns.values():
            conn.send = closed
        with pytest.raises(BrokerError, match="handler is closed"):
            await nodes.count(["none"])
        assert await nodes.count(["none"]) == {"none": 0}


async def test_a_connection_that_is_closing_is_not_written_to(broker: TestBroker) -> None:
    """aiokafka takes it for open until its reader has heard of the end."""
    producer = await start_producer(Cluster.of(broker.address))
    try:
        client = client_of(producer)
        (node,) = client.cluster.brokers()
        first = await client._get_conn(node.nodeId)
        first._writer.transport.abort()
        assert first.connected()
        second = await client._get_conn(node.nodeId)
        assert second is not first
        assert second.connected()
    finally:
        await producer.stop()


async def test_whoever_waits_for_a_routine_that_has_ended_is_told(broker: TestBroker) -> None:
    """A sender that was cancelled answers nobody."""
    producer = await start_producer(Cluster.of(broker.address))
    try:
        assert await unless_ended(producer, asyncio.sleep(0, "done")) == "done"
        producer._sender.sender_task.cancel()
        with pytest.raises(RoutineEndedError, match="sending has ended"):
            await asyncio.wait_for(unless_ended(producer, asyncio.Event().wait()), 300)
        assert issubclass(RoutineEndedError, KafkaError)
    finally:
        await producer.stop()


def test_steady_gives_back_what_it_was_given() -> None:
    """It changes that one client, and no class."""

    class Client:
        async def _get_conn(self, node_id: object) -> None: ...
        async def send(self, node_id: object, request: object) -> None: ...

    class Owner:
        def __init__(self) -> None:
            self.client = Client()

    owner, other = Owner(), Owner()
    assert steady(owner) is owner
    assert "send" in vars(owner.client)
    assert "send" not in vars(other.client)
