"""Laws of `syncline.transactions` and of `MediaProducer.transaction`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError, ProducerFenced

from syncline import AbortedError, BrokerError, FencedError, MediaProducer, SettingsError
from syncline.kafka.cluster import Cluster
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.send_log import SendLog, read_send_log
from syncline.transactions import Transaction
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics

TEXTS = "media.text"


async def read_committed(broker: TestBroker, prefix: str) -> list[str]:
    """The texts that a worker can read now, of the one partition."""
    tp = TopicPartition(prefix + TEXTS, 0)
    async with AIOKafkaConsumer(
        bootstrap_servers=broker.address, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        consumer.assign([tp])
        end, texts = (await consumer.end_offsets([tp]))[tp], list[str]()
        while await consumer.position(tp) < end:
            texts += [record.value.decode() for record in (await consumer.getmany(timeout_ms=100)).get(tp, ())]
        return texts


async def say(producer: MediaProducer, *texts: str) -> None:
    for text in texts:
        await producer.send("chat", "text", text=text, time_ms=1)


async def in_one(
    producer: MediaProducer, *texts: str, then: BaseException | Callable[[], Awaitable[None]] | None = None
) -> None:
    """Say something in one transaction, whatever becomes of each send, and then raise or do something else."""
    async with producer.transaction():
        for text in texts:
            with suppress(BrokerError):
                await say(producer, text)
        if isinstance(then, BaseException):
            raise then
        if then is not None:
            await then()


def counts(producer: MediaProducer) -> tuple[int, int, int]:
    return producer.progress.n_sent, producer.progress.n_delivered, producer.progress.n_failed


@pytest.mark.apache
async def test_what_is_sent_in_a_transaction_counts_when_it_is_committed(
    broker: TestBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """Not before, for readers, progress and send log alike; and each send has its place."""
    await make_topics(broker.address, topic_prefix, 1)
    with SendLog(tmp_path / "log") as log:
        async with MediaProducer(
            broker.address, topic_prefix=topic_prefix, transactional_id=topic_prefix, send_log=log
        ) as producer:
            async with producer.transaction():
                await say(producer, "a", "b")
                assert counts(producer) == (2, 0, 0)
                assert await read_committed(broker, topic_prefix) == []
            assert counts(producer) == (2, 2, 0)
            async with producer.transaction():
                await say(producer, "c")
    assert await read_committed(broker, topic_prefix) == ["a", "b", "c"]
    assert [(send.outcome, send.offset) for send in read_send_log(tmp_path / "log")] == [
        ("ok", 0),
        ("ok", 1),
        ("ok", 3),
    ]


@pytest.mark.apache
@pytest.mark.parametrize("error", [ValueError("no more"), asyncio.CancelledError()], ids=["error", "cancelled"])
async def test_an_exception_aborts_and_every_send_has_failed(
    broker: TestBroker, topic_prefix: str, tmp_path: Path, error: BaseException
) -> None:
    """It comes out as it is, and the next transaction is as good as any."""
    await make_topics(broker.address, topic_prefix, 1)
    with SendLog(tmp_path / "log") as log:
        async with MediaProducer(
            broker.address, topic_prefix=topic_prefix, transactional_id=topic_prefix, send_log=log
        ) as producer:
            with pytest.raises(type(error)):
                await in_one(producer, "a", "b", then=error)
            assert counts(producer) == (2, 0, 2)
            async with producer.transaction():
                await say(producer, "c")
    assert await read_committed(broker, topic_prefix) == ["c"]
    assert [send.outcome for send in read_send_log(tmp_path / "log")] == ["failed", "failed", "ok"]


@pytest.mark.apache
async def test_one_send_that_is_refused_aborts_them_all(broker: TestBroker, topic_prefix: str) -> None:
    """Also where the error of the send itself was caught; the next transaction is sent by a sound client."""
    await create_topics(broker.address, TopicPlan(n_partitions=1, prefix=topic_prefix, max_message_bytes=100_000))
    async with MediaProducer(broker.address, topic_prefix=topic_prefix, transactional_id=topic_prefix) as producer:
        with pytest.raises(AbortedError, match="MessageSizeTooLarge"):
            await in_one(producer, "a", "x" * 200_000)
        assert counts(producer) == (2, 0, 2)
        async with producer.transaction():
            await say(producer, "b")
    assert await read_committed(broker, topic_prefix) == ["b"]


@pytest.mark.apache
async def test_a_producer_whose_name_another_took_is_told_so(broker: TestBroker, topic_prefix: str) -> None:
    """What it had open is aborted, and it takes the name back from nobody."""
    await make_topics(broker.address, topic_prefix, 1)
    first, second = (
        MediaProducer(broker.address, topic_prefix=topic_prefix, transactional_id=topic_prefix) for _ in range(2)
    )

    async def begin_another() -> None:
        async with second:
            await in_one(second, "b")

    async with first:
        with pytest.raises(FencedError, match=f"transactional_id '{topic_prefix}': another producer"):
            await in_one(first, "a", then=begin_another)
        with pytest.raises(FencedError):
            await in_one(first, "c")
    assert counts(first)[1:] == (0, 1)
    assert await read_committed(broker, topic_prefix) == ["b"]


@pytest.mark.apache
async def test_transactions_are_used_one_at_a_time_and_not_forgotten(broker: TestBroker, topic_prefix: str) -> None:
    """A send outside, and a second transaction inside, are refused in words, and harm nothing."""
    await make_topics(broker.address, topic_prefix, 1)
    async with MediaProducer(broker.address, topic_prefix=topic_prefix, transactional_id=topic_prefix) as producer:
        with pytest.raises(BrokerError, match="send inside"):
            await say(producer, "a")
        async with producer.transaction():
            with pytest.raises(BrokerError, match="one at a time"):
                await in_one(producer)
            await say(producer, "b")
    assert counts(producer) == (1, 1, 0)


async def test_a_broker_without_transactions_is_a_clear_error(broker: TestBroker, topic_prefix: str) -> None:
    """It names the setting, and what it takes."""
    if broker.kind != "tansu":
        pytest.skip("this one has transactions")
    await make_topics(broker.address, topic_prefix, 1)
    with pytest.raises(
        SettingsError, match="transactional_id: got 'cam', takes a broker that has transactions"
    ) as caught:
        await MediaProducer(broker.address, topic_prefix=topic_prefix, transactional_id="cam").__aenter__()
    assert (caught.value.exit_code, broker.address in str(caught.value)) == (2, True)


async def test_a_transaction_needs_a_name() -> None:
    """Without one the setting is named, before any broker is asked."""
    with pytest.raises(SettingsError, match="transactional_id"):
        await in_one(MediaProducer())


class _Client:
    """A client whose every word is answered with an error."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def commit_transaction(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "timeout_ms", "ours", "match"),
    [
        (ProducerFenced(), 60_000, FencedError, "another producer"),
        (ProducerFenced(), 0, AbortedError, "open for longer than transaction_timeout_ms=0"),
        (KafkaTimeoutError(), 60_000, BrokerError, "KafkaTimeoutError"),
        (asyncio.CancelledError(), 60_000, asyncio.CancelledError, None),
    ],
    ids=["fenced", "timeout", "unknown", "cancelled"],
)
async def test_what_is_not_known_to_be_committed_is_not_told_as_aborted(
    error: BaseException, timeout_ms: int, ours: type[BaseException], match: str | None
) -> None:
    """Fenced and too late look alike to Kafka; the client must not be used again in any case."""
    client: Any = _Client(error)
    transaction = Transaction(client, Cluster.of("broker:1"), "cam", timeout_ms, lambda sent: None)
    with pytest.raises(ours, match=match) as caught:
        await transaction.commit()
    assert isinstance(caught.value, AbortedError) == (timeout_ms == 0)
    assert transaction.is_broken
