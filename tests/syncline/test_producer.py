"""Laws of `syncline.producer`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from syncline import BrokerError, BrokerTimeoutError, ContractError, MediaProducer
from syncline.kafka import cluster
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.producer import Delivery, ProducerProgress
from syncline.send_log import SendLog, read_send_log
from syncline.wire.events import check_value, parse_headers
from syncline.wire.placement import check_placement
from tests.support.brokers import Tansu, TestBroker
from tests.support.contract import TRACEPARENT
from tests.support.topics import N_PARTITIONS, make_topics, read_records

JPEG = b"\xff\xd8\xff\xe0 picture"


async def test_what_is_sent_is_what_the_worker_reads(broker: TestBroker, topic_prefix: str) -> None:
    """Every field of an event arrives, in the partition where the worker expects it."""
    await make_topics(broker.address, topic_prefix)
    async with MediaProducer(broker.address, topic_prefix=topic_prefix, source="urn:camera:7") as producer:
        delivery = await producer.send(
            "lobby", "image", JPEG, time_ms=1_250, lane="left", id="f1", duration_ms=40, traceparent=TRACEPARENT
        )
    (record,) = await read_records(broker.address, f"{topic_prefix}media.image", 1)
    event = parse_headers("media.image", record.key, record.headers, record.timestamp)
    assert check_value(event, record.value) == JPEG
    assert (event.stream, event.source, event.id, event.time_ms, event.lane) == (
        "lobby",
        "urn:camera:7",
        "f1",
        1_250,
        "left",
    )
    assert (event.duration_ms, event.content_type, event.traceparent) == (40, "image/jpeg", TRACEPARENT)
    assert (delivery.id, delivery.topic) == ("f1", "media.image")
    assert (delivery.partition, delivery.offset) == (record.partition, record.offset)
    check_placement(record.key, record.partition, N_PARTITIONS)


async def test_many_at_once_keep_their_order(broker: TestBroker, topic_prefix: str) -> None:
    """send_soon does not wait for each delivery; a stream's events stay in order, and progress counts them."""
    await make_topics(broker.address, topic_prefix)
    seen: list[int] = []

    def note(progress: ProducerProgress) -> None:
        seen.append(progress.n_delivered)

    async with MediaProducer(broker.address, topic_prefix=topic_prefix, on_progress=note) as producer:
        waiting = [await producer.send_soon("chat", "text", text=f"line {i}", time_ms=i) for i in range(200)]
        deliveries = await asyncio.gather(*waiting)
        await producer.flush()
    assert [delivery.offset for delivery in deliveries] == list(range(200))
    assert len({delivery.id for delivery in deliveries}) == 200
    assert seen == list(range(1, 201))
    assert (producer.progress.n_sent, producer.progress.n_failed) == (200, 0)


async def test_missing_topics_are_named_and_not_made(broker: TestBroker, topic_prefix: str) -> None:
    """A producer against a broker without topics says which, how to make them, and makes none itself."""
    for _ in range(2):  # had the first try made them, the second would pass
        with pytest.raises(BrokerError) as caught:
            await MediaProducer(broker.address, topic_prefix=topic_prefix).__aenter__()
        assert f"{topic_prefix}media.audio" in str(caught.value)
        assert "syncline topics create" in str(caught.value)


async def test_a_broker_that_is_not_there_is_a_clear_error(unused_tcp_port: int) -> None:
    """No traceback of the client's, but the address."""
    with pytest.raises(BrokerError, match=f"127.0.0.1:{unused_tcp_port}"):
        await MediaProducer(f"127.0.0.1:{unused_tcp_port}").__aenter__()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"modality": "video", "data": b"x"}, "unknown_type"),
        ({"modality": "image", "data": b"GIF89a"}, "bad_content_type"),
        ({"modality": "audio", "data": JPEG}, "bad_content_type"),
        ({"modality": "text", "text": ""}, "empty_value"),
        ({"modality": "text"}, "null_value"),
        ({"modality": "text", "text": "x" * 1_000_001}, "too_large"),
        ({"modality": "text", "text": "x", "stream": ""}, "no_key"),
        ({"modality": "text", "text": "x", "stream": "a\n"}, "bad_header"),
        ({"modality": "text", "text": "x", "time_ms": -1}, "bad_time"),
        ({"modality": "text", "text": "x", "lane": "left right"}, "bad_lane"),
        ({"modality": "text", "text": "x", "language": "?"}, "bad_language"),
        ({"modality": "text", "text": "x", "duration_ms": 86_400_001}, "bad_duration"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_the_worker_would_refuse_is_not_sent(
    broker: TestBroker, producer: MediaProducer, arguments: dict[str, object], reason: str
) -> None:
    """The producer reads its own headers back with the worker's function before it sends."""
    with pytest.raises(ContractError) as caught:
        await producer.send(**({"stream": "s", "time_ms": 0} | arguments))  # type: ignore[arg-type]
    assert caught.value.reason == reason
    assert producer.progress.n_sent == 0


async def test_a_broker_without_idempotence_is_warned_of_once(
    own_broker: TestBroker, topic_prefix: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tansu answers InitProducerId with an error: one warning, and no error in anybody's log."""
    monkeypatch.setattr(cluster, "_warned", set())  # a broker of another test may have had this port
    await make_topics(own_broker.address, topic_prefix)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            async with MediaProducer(own_broker.address, topic_prefix=topic_prefix) as producer:
                await producer.send("s", "text", text="x", time_ms=0)
    warnings = [record for record in caplog.records if "idempotent" in record.getMessage()]
    assert len(warnings) == (1 if own_broker.kind == "tansu" else 0)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_producer_must_be_entered() -> None:
    """Forgetting `async with` is said."""
    with pytest.raises(BrokerError, match="async with"):
        await MediaProducer().send("s", "text", text="x", time_ms=0)


async def test_a_delivery_that_fails_is_an_error_and_counted(own_broker: TestBroker, topic_prefix: str) -> None:
    """Where the producer is not idempotent and the broker goes away, both ways of sending say so, counted."""
    if own_broker.kind != "tansu":
        pytest.skip("an idempotent producer never gives up: it waits for the broker to come back")
    await make_topics(own_broker.address, topic_prefix)
    options = {"request_timeout_ms": 500}
    async with MediaProducer(own_broker.address, topic_prefix=topic_prefix, kafka_options=options) as producer:
        await producer.send("s", "text", text="x", time_ms=0)
        await own_broker.stop()
        with pytest.raises(BrokerError, match=own_broker.address):
            await producer.send("s", "text", text="y", time_ms=1)
        failing = await producer.send_soon("s", "text", text="z", time_ms=2)
        with pytest.raises(BrokerError, match=own_broker.address):
            await failing
    assert (producer.progress.n_delivered, producer.progress.n_failed) == (1, 2)


async def test_a_send_that_is_not_answered_in_time_says_so(own_broker: TestBroker, topic_prefix: str) -> None:
    """A broker that stands still is there: the send timed out, and it is not known whether the event was taken."""
    if not isinstance(own_broker, Tansu):
        pytest.skip("an idempotent producer never gives up: it waits for the broker to come back")
    await make_topics(own_broker.address, topic_prefix)
    options = {"request_timeout_ms": 500}
    async with MediaProducer(own_broker.address, topic_prefix=topic_prefix, kafka_options=options) as producer:
        await producer.send("s", "text", text="x", time_ms=0)
        os.kill(own_broker.pid, signal.SIGSTOP)
        try:
            with pytest.raises(BrokerTimeoutError) as caught:
                await producer.send("s", "text", text="y", time_ms=1)
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)
    assert caught.value.may_retry


async def test_a_send_that_finds_no_broker_is_counted_and_in_the_log(
    own_broker: TestBroker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a client with a gap cannot be replaced, because the broker has gone away, each send has failed."""
    await make_topics(own_broker.address, topic_prefix)
    path = tmp_path / "sends.jsonl"
    with SendLog(path) as send_log:
        async with MediaProducer(own_broker.address, topic_prefix=topic_prefix, send_log=send_log) as producer:
            monkeypatch.setattr(producer, "_has_gap", True)
            await own_broker.stop()
            for _ in range(2):
                with pytest.raises(BrokerError, match=own_broker.address):
                    await producer.send("s", "text", text="x", time_ms=0)
    assert (producer.progress.n_sent, producer.progress.n_failed) == (2, 2)
    assert [send.outcome for send in read_send_log(path)] == ["unknown"] * 2


async def test_every_send_has_its_end_when_sending_and_leaving_are_cancelled(
    own_broker: TestBroker, topic_prefix: str, tmp_path: Path
) -> None:
    """With the broker away, a send that waits for room and a leaving that waits for answers may be cut short."""
    await make_topics(own_broker.address, topic_prefix)
    path, waiting = tmp_path / "sends.jsonl", list[asyncio.Future[Delivery]]()
    with SendLog(path) as send_log:
        producer = MediaProducer(own_broker.address, topic_prefix=topic_prefix, send_log=send_log)
        await producer.__aenter__()
        await own_broker.stop()
        with suppress(TimeoutError):
            while True:
                sending = producer.send_soon("s", "text", text="x" * 10_000, time_ms=0)
                waiting.append(await asyncio.wait_for(sending, 1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(producer.__aexit__(), 0.5)
        ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert len(ends) > 0
    assert all(isinstance(end, BrokerError) for end in ends)
    assert producer.progress.n_sent == producer.progress.n_failed == len(waiting) + 1
    assert len(read_send_log(path)) == producer.progress.n_sent


async def test_a_progress_callback_that_raises_costs_no_delivery(broker: TestBroker, topic_prefix: str) -> None:
    """Somebody's broken display is reported to the loop; the event is delivered all the same."""
    await make_topics(broker.address, topic_prefix)
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context.get("exception"))))

    def broken(_: ProducerProgress) -> None:
        raise RuntimeError("broken display")

    async with MediaProducer(broker.address, topic_prefix=topic_prefix, on_progress=broken) as producer:
        async with asyncio.timeout(300):
            await producer.send("s", "text", text="x", time_ms=0)
    assert reported == ["broken display"]


@pytest.mark.apache
async def test_a_record_that_the_topic_does_not_take_fails_alone(broker: TestBroker, topic_prefix: str) -> None:
    """An idempotent producer counts its batches, and the broker takes none behind a gap: a new one takes its place."""
    await create_topics(broker.address, TopicPlan(n_partitions=1, prefix=topic_prefix, max_message_bytes=100_000))
    async with MediaProducer(broker.address, topic_prefix=topic_prefix) as producer:
        await producer.send("chat", "text", text="before", time_ms=1)
        with pytest.raises(BrokerError, match="MessageSizeTooLarge"):
            await producer.send("chat", "text", text="x" * 200_000, time_ms=2)
        waiting = [await producer.send_soon("chat", "text", text=f"line {i}", time_ms=3 + i) for i in range(20)]
        assert [delivery.offset for delivery in await asyncio.gather(*waiting)] == list(range(1, 21))
        assert (producer.progress.n_delivered, producer.progress.n_failed) == (21, 1)
