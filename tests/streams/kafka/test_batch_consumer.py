"""streams/kafka/batch_consumer.py against real brokers: what it relies on of Faust and aiokafka, and what it
promises.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import aiokafka
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from mode.threads import QueueServiceThread

from streams.kafka import batch_consumer as delivery
from streams.kafka.batch_consumer import RECORDS_PER_POLL, BatchConsumer, FetchedBatch
from streams.kafka.consumer_thread import BatchConsumerThread, Start
from streams.kafka.faust import driver
from syncline.errors import SynclineError
from syncline.kafka.client import FETCH_MAX_WAIT_MS, stop_consumer
from syncline.wire.contract import MEDIA_TOPICS
from tests.support.brokers import TestBroker
from tests.support.delivering import Noting, committed
from tests.support.topics import make_topics
from tests.support.transactions import transactional

IMAGES = "media.image"


async def fill(broker: TestBroker, topic: str, n_records: int, partition: int = 0, n_bytes: int = 100) -> None:
    """Put plain records into one partition."""
    async with AIOKafkaProducer(bootstrap_servers=broker.address, linger_ms=5, max_batch_size=200_000) as producer:
        for number in range(n_records):
            await producer.send(topic, b"x" * n_bytes, str(number).encode(), partition)


async def test_all_of_a_topic_arrives_in_order_through_holding_and_letting_go(
    broker: TestBroker, topic_prefix: str
) -> None:
    """Of 20,000 records none is lost by pausing, and no more come while held than the polls under way."""
    await make_topics(broker.address, topic_prefix, 1)
    topic, n_records = topic_prefix + IMAGES, 20_000
    await fill(broker, topic, n_records)
    async with Noting(broker, topic_prefix) as noting:
        for pause_at in range(1_000, n_records, 2_000):
            await noting.until(lambda at=pause_at: noting.n_records() >= at)
            noting.hold(topic, 0, True)
            n_before = noting.n_records()
            await asyncio.sleep(0.05)
            assert noting.n_records() - n_before <= 2 * RECORDS_PER_POLL
            noting.hold(topic, 0, False)
        await noting.until(lambda: noting.n_records() == n_records)
        assert noting.offsets[noting.epoch][topic, 0] == list(range(n_records))


async def test_nothing_is_read_before_a_topic_is_let_go(broker: TestBroker, topic_prefix: str) -> None:
    """An assignment begins with everything held: its partition numbers have to recover first."""
    await make_topics(broker.address, topic_prefix, 1)
    await fill(broker, topic_prefix + IMAGES, 10)
    async with Noting(broker, topic_prefix, hold_all=True) as noting:
        await noting.until(lambda: bool(noting.assignments))
        await asyncio.sleep(0.3)
        assert noting.n_records() == 0
        noting.hold(topic_prefix + IMAGES, 0, False)
        await noting.until(lambda: noting.n_records() == 10)


async def test_a_partition_that_is_not_ours_has_no_high_water(broker: TestBroker, topic_prefix: str) -> None:
    """Asked in the midst of a rebalance: the question is old, and nothing to end a worker for."""
    await make_topics(broker.address, topic_prefix, 1)
    await fill(broker, topic_prefix + IMAGES, 10)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == 10)
        assert noting.app.batches.fetched_ends(driver.TP(topic_prefix + IMAGES, 0)) == (10, 10)
        assert noting.app.batches.fetched_ends(driver.TP(topic_prefix + IMAGES, 1)) == (0, 0)


async def test_what_is_committed_is_what_was_resolved(broker: TestBroker, topic_prefix: str) -> None:
    """Neither above it nor below, and whoever comes next begins there."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, 100)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == 100)
        noting.resolve(topic, 0, 40)
        noting.resolve(topic, 0, 30)
        group = noting.settings.group
        async with asyncio.timeout(300):
            while await committed(broker.address, group, topic, 0) != 40:  # noqa: ASYNC110 (a broker has no event)
                await asyncio.sleep(0.05)
        noting.resolve(topic, 0, 57)
    assert await committed(broker.address, group, topic, 0) == 57
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == 43)
        assert noting.offsets[noting.epoch][topic, 0] == list(range(57, 100))
        assert noting.assignments[-1][2][topic, 0] == Start(57, 57)
        assert noting.assignments[-1][2][topic_prefix + "media.text", 0] == Start(None, 0)


async def test_a_rebalance_begins_anew_at_the_committed_offsets(broker: TestBroker, topic_prefix: str) -> None:
    """Kept partitions too; in each assignment every topic partition comes without gap, and old words are not heard."""
    await make_topics(broker.address, topic_prefix, 3)
    for partition in range(3):
        await fill(broker, topic_prefix + IMAGES, 500, partition)
    async with Noting(broker, topic_prefix) as first:
        await first.until(lambda: first.n_records() == 1_500)
        for partition in range(3):
            first.resolve(topic_prefix + IMAGES, partition, 100)
        old_epoch = first.epoch
        async with Noting(broker, topic_prefix) as second:
            await first.until(lambda: first.epoch != old_epoch and bool(second.owned))
            await first.until(lambda: not (first.owned & second.owned))
            assert first.n_revoked > 0
            first.resolve(topic_prefix + IMAGES, 0, 500, epoch=old_epoch)
            for one in (first, second):
                images = [tp for tp in one.owned if tp[0] == topic_prefix + IMAGES]
                await one.until(lambda one=one, images=images: one.n_records() == 400 * len(images))
                for tp in images:
                    assert one.offsets[one.epoch][tp] == list(range(100, 500))
            await asyncio.sleep(0.3)
    assert await committed(broker.address, first.settings.group, topic_prefix + IMAGES, 0) == 100


async def test_a_partition_number_of_all_topics_goes_to_one_worker(broker: TestBroker, topic_prefix: str) -> None:
    """Our assignor keeps equal numbers of all topics together, also where the workers' shares are unequal.

    aiokafka's round robin, which Faust takes without standby replicas, would not: 9 topic partitions over 2 workers.
    """
    n_partitions = 3
    await make_topics(broker.address, topic_prefix, n_partitions)
    async with Noting(broker, topic_prefix) as first, Noting(broker, topic_prefix) as second:
        await first.until(lambda: bool(second.owned) and not first.owned & second.owned)
        numbers = [{partition for _, partition in one.owned} for one in (first, second)]
        assert numbers[0] | numbers[1] == set(range(n_partitions))
        for one, mine in zip((first, second), numbers, strict=True):
            assert one.owned == {(topic_prefix + topic, number) for topic in MEDIA_TOPICS for number in mine}


async def test_an_assignment_of_nothing_is_told(broker: TestBroker, topic_prefix: str) -> None:
    """One worker more than partitions: it is in the group, and its listener must not wait for ever."""
    await make_topics(broker.address, topic_prefix, 1)
    async with Noting(broker, topic_prefix) as first, Noting(broker, topic_prefix) as second:
        await first.until(lambda: bool(second.assignments) and len(first.assignments) > 1)
        assert sorted(len(one.owned) for one in (first, second)) == [0, len(MEDIA_TOPICS)]


@pytest.mark.apache
async def test_a_record_less_stretch_moves_the_position(broker: TestBroker, topic_prefix: str) -> None:
    """The mark that ends a transaction is no record; `next_offset` passes it, so that "caught up" can be told."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    producer = AIOKafkaProducer(bootstrap_servers=broker.address, transactional_id=topic_prefix)
    async with producer, producer.transaction():
        await producer.send_and_wait(topic, b"x", partition=0)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.next_offsets.get((topic, 0)) == 2)
        assert noting.offsets[noting.epoch][topic, 0] == [0]


@pytest.mark.apache
async def test_what_was_aborted_is_passed_and_not_delivered(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is waited for what comes behind it: who waits to be caught up would wait with it."""
    monkeypatch.setattr(delivery, "POLL_S", 60.0)
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    async with transactional(broker, topic_prefix) as producer, Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: bool(noting.assignments))
        for n_aborted in range(1, 4):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"x", partition=0)
            await producer.abort_transaction()
            await noting.until(lambda at=2 * n_aborted: noting.next_offsets.get((topic, 0)) == at, limit_s=20)
        assert noting.n_records() == 0


@pytest.mark.apache
async def test_what_stands_behind_an_open_transaction_waits_for_its_end(broker: TestBroker, topic_prefix: str) -> None:
    """The fetch tells the last stable offset beside the high watermark; what was committed comes with the rest."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    async with transactional(broker, topic_prefix) as producer, Noting(broker, topic_prefix) as noting:
        await fill(broker, topic, 2)
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"x", partition=0)
        await fill(broker, topic, 3)
        await noting.until(lambda: noting.n_records() == 2)
        await noting.until(lambda: noting.app.batches.fetched_ends(driver.TP(topic, 0)) == (2, 6))
        await producer.commit_transaction()
        await noting.until(lambda: noting.n_records() == 6)
        assert noting.offsets[noting.epoch][topic, 0] == list(range(6))


async def test_heartbeats_are_seen_with_their_generation(broker: TestBroker, topic_prefix: str) -> None:
    """The generation is the one of the assignment, and the time moves on with each heartbeat."""
    await make_topics(broker.address, topic_prefix, 1)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: bool(noting.assignments))
        generation, joined_s = noting.app.batches.heartbeat
        assert generation == noting.app.batches.generation == noting.assignments[-1][1]
        await noting.until(lambda: noting.app.batches.heartbeat[1] > joined_s + 0.2)


async def test_all_that_the_group_is_asked_goes_through_the_replaced_method(
    broker: TestBroker, topic_prefix: str
) -> None:
    """A heartbeat that went past it would not be noted, and nothing would be proposed any more, without a word."""
    await make_topics(broker.address, topic_prefix, 1)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: bool(noting.assignments))
        coordinator = noting.app.batches._thread._ensure_consumer()._coordinator
        replaced, asked = coordinator._send_req, list[str]()
        assert replaced.__module__ == BatchConsumerThread.__module__
        assert noting.app.batches.is_member, "the request to join went past it"

        async def note(request: Any) -> Any:
            asked.append(type(request).__name__)
            return await replaced(request)

        coordinator._send_req = note
        sent_s = noting.app.batches.heartbeat[1]
        noting.resolve(topic_prefix + IMAGES, 0, 1)
        await noting.until(lambda: {"HeartbeatRequest", "OffsetCommitRequest"} <= set(asked))
        await noting.until(lambda: noting.app.batches.heartbeat[1] > sent_s)


async def test_fetches_ask_for_what_is_set_under_private_names(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long the broker may hold a fetch, and that it leaves out what may be aborted: in the requests themselves."""
    theirs, asked = fetcher.FetchRequest, set[tuple[int, int]]()

    def note(max_wait_ms: int, min_bytes: int, max_bytes: int, isolation_level: int, *rest: Any, **more: Any) -> Any:
        asked.add((max_wait_ms, isolation_level))
        return theirs(max_wait_ms, min_bytes, max_bytes, isolation_level, *rest, **more)

    monkeypatch.setattr(fetcher, "FetchRequest", note)
    await make_topics(broker.address, topic_prefix, 1)
    await fill(broker, topic_prefix + IMAGES, 10)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: bool(noting.assignments) and noting.n_records() == 10)
    assert asked == {(FETCH_MAX_WAIT_MS, fetcher.READ_COMMITTED)}


@pytest.mark.parametrize("name", ["_send_req", "_do_rejoin_group", "_fetch_max_wait_ms", "_isolation_level"])
async def test_a_private_part_that_has_gone_ends_the_start(
    broker: TestBroker, topic_prefix: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its name and aiokafka's version: what is set instead would be without effect, and nobody would see it."""
    create = driver.AIOKafkaConsumerThread._create_worker_consumer

    def create_without(self: Any, transport: Any) -> Any:
        consumer = create(self, transport)
        del consumer.__dict__[name]
        consumer._closed = True  # it is not started, and need not be stopped
        return consumer

    if hasattr(GroupCoordinator, name):
        monkeypatch.delattr(GroupCoordinator, name)
    else:
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_create_worker_consumer", create_without)
    await make_topics(broker.address, topic_prefix, 1)
    thread = Noting(broker, topic_prefix).app.batches._thread
    thread.thread_loop.close()
    thread.thread_loop = asyncio.get_running_loop()
    try:
        with pytest.raises(SynclineError, match=rf"aiokafka {aiokafka.__version__} has no \w+\.{name},"):
            await thread.on_start()
    finally:
        if thread._consumer is not None:
            await stop_consumer(thread._consumer)


def test_what_is_skipped_of_fausts_end_is_what_is_done_here() -> None:
    """It ends the thread's queue, by the class below, and stops the consumer: a third thing would be left undone."""
    skipped = driver.AIOKafkaConsumerThread.on_thread_stop
    assert set(skipped.__code__.co_names) == {"super", "on_thread_stop", "_consumer", "stop"}
    below = next(kind for kind in driver.AIOKafkaConsumerThread.__mro__[1:] if "on_thread_stop" in kind.__dict__)
    assert below is QueueServiceThread
    assert set(below.on_thread_stop.__code__.co_names) >= {"stop"}


async def test_the_end_of_the_thread_is_heard_of(broker: TestBroker, topic_prefix: str) -> None:
    """Were the hook called otherwise, the group would not be left, and the others would wait for a session."""
    await make_topics(broker.address, topic_prefix, 1)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: bool(noting.assignments))
        thread = noting.app.batches._thread
        assert isinstance(thread, BatchConsumerThread)
        assert thread.is_member
    assert not thread.is_member


async def test_a_batch_is_a_message_of_fausts(broker: TestBroker, topic_prefix: str) -> None:
    """Each field under its name: Faust's streams take the topic partition, offset, value and generation from it."""
    noting = Noting(broker, topic_prefix)
    tp, batch = driver.TP("media.text", 3), FetchedBatch(1, "media.text", 3, [], 17)
    noting.app.batches._thread.thread_loop.close()  # which has not been started
    message = noting.app.batches._to_message(tp, batch)
    assert (message.topic, message.partition, message.offset, message.tp) == ("media.text", 3, 17, tp)
    assert (message.value, message.key, message.headers) == (batch, None, [])
    assert message.generation_id == noting.app.consumer_generation_id


async def test_a_partition_that_is_another_workers_has_no_high_watermark(broker: TestBroker, topic_prefix: str) -> None:
    """Whoever asks just as an assignment ends is told 0; aiokafka fails an assertion then, which ended the worker."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, 10)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == 10)
        assert noting.app.batches.fetched_ends(driver.TP(topic, 0)) == (10, 10)
        assert noting.app.batches.fetched_ends(driver.TP(topic, 1)) == (0, 0)


@pytest.mark.parametrize("name", ["_wait_next_records", "getmany", "perform_seek", "_filter_tps_with_pending_acks",
                                  "_new_offset", "_should_commit", "_commit_tps", "_to_message",
                                  "on_partitions_revoked", "on_partitions_assigned", "verify_event_path",
                                  "_new_consumer_thread"])  # fmt: skip
def test_the_private_parts_of_fausts_consumer_are_there(name: str) -> None:
    """What is overridden or relied on exists, and takes what our own version takes."""
    theirs, ours = (getattr(kind, name) for kind in (driver.Consumer, BatchConsumer))
    assert len(inspect.signature(theirs).parameters) == len(inspect.signature(ours).parameters)


@pytest.mark.parametrize(
    "name", ["_create_worker_consumer", "_fetch_records", "_commit", "on_start", "on_thread_stop", "close"]
)
def test_the_private_parts_of_fausts_consumer_thread_are_there(name: str) -> None:
    """The same for the thread that aiokafka runs on."""
    theirs, ours = (getattr(kind, name) for kind in (driver.AIOKafkaConsumerThread, BatchConsumerThread))
    assert len(inspect.signature(theirs).parameters) == len(inspect.signature(ours).parameters)


@pytest.mark.parametrize("routine", ["_fetch_task", "_sync_task", "_coordination_task", "_heartbeat_task"])
async def test_a_routine_of_the_consumer_that_ends_is_begun_anew(
    broker: TestBroker, topic_prefix: str, routine: str
) -> None:
    """Nobody awaits it: without that the worker would read nothing, or be forgotten by its group, for good."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, 10)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == 10)
        thread = noting.app.batches._thread
        consumer = thread._ensure_consumer()
        owner = next(
            one for one in (consumer._fetcher, consumer._client, consumer._coordinator) if hasattr(one, routine)
        )
        ended = getattr(owner, routine)
        thread.thread_loop.call_soon_threadsafe(ended.cancel)
        await noting.until(lambda: getattr(owner, routine) is not ended)
        await fill(broker, topic, 10)
        await noting.until(lambda: noting.n_records() == 20)
        sent_s = noting.app.batches.heartbeat[1]
        await noting.until(lambda: noting.app.batches.heartbeat[1] > sent_s)
        assert noting.offsets[noting.epoch][topic, 0] == list(range(20))
        assert len(noting.assignments) == 1


async def test_a_broker_that_goes_away_before_the_consumer_connects_is_waited_for(
    own_broker: TestBroker, topic_prefix: str
) -> None:
    """It was there a moment ago, when the topics were looked at."""
    await own_broker.stop()
    noting = Noting(own_broker, topic_prefix)
    starting = asyncio.create_task(noting.app.start())
    while noting.app.batches._thread is None or noting.app.batches._thread._consumer is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await own_broker.start()
    await make_topics(own_broker.address, topic_prefix, 1)
    await fill(own_broker, topic_prefix + IMAGES, 10)
    try:
        await noting.until(lambda: bool(noting.assignments) and noting.n_records() == 10)
    finally:
        await starting
        await noting.app.stop()
