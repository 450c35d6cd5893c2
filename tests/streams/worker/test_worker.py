"""A worker process from outside: what it publishes, how it says how it does, how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from syncline.wire.events import build_headers
from syncline.wire.placement import partition_for
from tests.support.brokers import TestBroker
from tests.support.delivering import committed
from tests.support.judge import Reader
from tests.support.moments import PERIOD_MS, Sample, moments, send, send_raw
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
LIMIT_S = 300.0


async def test_moments_come_out_complete_in_order_and_are_committed(broker: TestBroker, topic_prefix: str) -> None:
    """After SIGTERM the exit code is 0, all is committed, and nothing was ever written to stdout."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    sent = await send(broker.address, topic_prefix, moments(200), N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert await worker.terminate() == (0, b"")
        assert outcomes.violations(sent) == []
        assert outcomes.n_torn(sent) == 0
    for number in range(N_PARTITIONS):
        n_images = len([key for key in sent.records if key[:2] == ("media.image", number)])
        at = await committed(broker.address, topic_prefix + "workers", topic_prefix + "media.image", number)
        assert (at or 0) == n_images


async def test_a_worker_that_is_told_to_stop_leaves_nothing_to_be_said_twice(
    broker: TestBroker, topic_prefix: str
) -> None:
    """SIGTERM in the midst of a backlog: what is decided is published and committed before it leaves."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    sent = await send(broker.address, topic_prefix, moments(2_000, n_bytes=1_000), N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await reader.read_until(lambda seen: len(seen.fused) > 50, LIMIT_S)
        assert (await worker.terminate())[0] == 0
        await reader.read_rest()
        assert reader.outcomes.undecided(sent), "it was done before it could be stopped: nothing was shown"
        worker.start()
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert outcomes.n_repeats == 0
        assert outcomes.violations(sent) == []


async def test_each_fault_ends_where_it_belongs_and_costs_nobody_else(broker: TestBroker, topic_prefix: str) -> None:
    """Dead letters and unfused events have their own reason; the log names the line that mends a misrouted record."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    sent = await send(broker.address, topic_prefix, moments(20, n_streams=1), N_PARTITIONS)
    image = next(sample for sample in moments(1, n_streams=1) if sample.event.modality == "image")
    here = partition_for(image.event.stream.encode(), N_PARTITIONS)
    await send_raw(broker.address, [_raw(topic_prefix, *fault) for fault in _faults(image, here)])
    async with (
        WorkerProcess(broker, topic_prefix) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        outcomes = await reader.read_until(
            lambda seen: len(seen.by_record) == len(sent.records) + len(_faults(image, here)), LIMIT_S
        )
        assert outcomes.kinds() == {
            "fused": 60,
            "deadletter misrouted": 1,
            "deadletter no_key": 1,
            "deadletter key_mismatch": 1,
            "deadletter bad_time": 1,
            "deadletter null_value": 1,
            "deadletter clock": 1,
            "unfused late": 1,
            "unfused unexpected": 1,
        }
        assert "partitioner=murmur2_random" in worker.log()


async def test_a_tolerance_as_long_as_the_period_is_warned_of(broker: TestBroker, topic_prefix: str) -> None:
    """With lost items it pairs neighbouring moments: the log names the setting, and nothing else goes wrong."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    sent = await send(broker.address, topic_prefix, moments(800, n_streams=2, missing=0.1), N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix, tolerance_ms=PERIOD_MS) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert f"tolerance_ms={PERIOD_MS} is too near the period of a lane" in worker.log()


def _faults(image: Sample, here: int) -> list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    stream = image.event.stream.encode()
    headers = build_headers(image.event)
    far = build_headers(replace_event(image, id="far", time_ms=4_000_000_000_000))
    bad_time = [(name, b"yesterday" if name == "ce_time" else value) for name, value in headers]
    other_lane = build_headers(replace_event(image, id="lane", lane="left", time_ms=image.event.time_ms + 10_000))
    no_value = build_headers(replace_event(image, id="null", time_ms=image.event.time_ms + 10_000))
    return [
        (1 - here, stream, b"x", headers),
        (here, None, b"x", headers),
        (here, _key_beside(stream, here), b"x", headers),
        (here, stream, b"x", bad_time),
        (here, stream, b"x", far),
        (here, stream, b"x", other_lane),
        (here, stream, None, no_value),
        (here, stream, b"x", build_headers(replace_event(image, id="late", time_ms=image.event.time_ms - 1))),
    ]


def replace_event(sample: Sample, **changes: Any) -> Any:
    """The sample's event with some fields changed."""
    return msgspec.structs.replace(sample.event, **changes)


def _key_beside(stream: bytes, partition: int) -> bytes:
    """Another key that belongs in the same partition."""
    keys = (stream + b"-%d" % number for number in range(100))
    return next(key for key in keys if partition_for(key, N_PARTITIONS) == partition)


def _raw(prefix: str, partition: int, key: bytes | None, value: bytes | None, headers: list[Any]) -> Any:
    return prefix + "media.image", partition, key, value, headers


async def test_a_silent_lane_is_waited_for_and_then_named(broker: TestBroker, topic_prefix: str) -> None:
    """Timers need no further input: the partial set comes after `max_wait_ms`, with what is missing."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = [sample for sample in moments(2) if sample.event.modality != "audio"]
    async with (
        WorkerProcess(broker, topic_prefix, max_wait_ms=300) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await worker.until_ready()
        sent = await send(broker.address, topic_prefix, samples, N_PARTITIONS)
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert {(result.outcome, result.reason, result.missing) for result in outcomes.fused.values()} == {
            ("partial", "timeout", ("audio",))
        }
        assert outcomes.violations(sent) == []


async def test_readiness_says_what_is_missing(broker: TestBroker, topic_prefix: str) -> None:
    """Without topics a worker is live and not ready, with the command that makes them; then it is ready."""
    async with WorkerProcess(broker, topic_prefix) as worker:
        status, answer = await _until_it_says(worker, "syncline topics create")
        assert (status, answer["ok"]) == (503, False)
        assert (await worker.ask("/livez"))[0] == 200
        await make_topics(broker.address, topic_prefix, N_PARTITIONS)
        await worker.until_ready()
        status, answer = await worker.ask("/readyz")
        assert (status, answer["ok"], answer["reasons"]) == (200, True, [])


async def test_unequal_partition_counts_are_named(broker: TestBroker, topic_prefix: str) -> None:
    """With the numbers; nothing is read."""
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    from syncline.wire.contract import ALL_TOPICS

    admin: Any = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    await admin.create_topics([NewTopic(topic_prefix + t, 3 if t == "decisions" else 2, 1) for t in ALL_TOPICS])
    await admin.close()
    async with WorkerProcess(broker, topic_prefix) as worker:
        _, answer = await _until_it_says(worker, "decisions 3")
        assert "same number of partitions" in answer["reasons"][0]


async def test_a_log_that_was_emptied_is_not_worked_on(broker: TestBroker, topic_prefix: str) -> None:
    """Committed offsets beside a log without decisions: whatever it did would be a second outcome for some records."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    await send(broker.address, topic_prefix, moments(20), N_PARTITIONS)
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=broker.address, group_id=topic_prefix + "workers")
    tps = [TopicPartition(topic_prefix + "media.image", number) for number in range(N_PARTITIONS)]
    await consumer.start()
    consumer.assign(tps)
    await consumer.commit(dict.fromkeys(tps, 3))
    await consumer.stop()
    async with WorkerProcess(broker, topic_prefix) as worker:
        await _until_it_says(worker, "the log holds no decision, but offsets are committed")
        assert (await worker.ask("/livez"))[0] == 200
        assert (await worker.terminate())[0] == 0


async def _until_it_says(worker: WorkerProcess, what: str) -> tuple[int, dict[str, Any]]:
    async with asyncio.timeout(LIMIT_S):
        while True:
            status, answer = await worker.ask("/readyz")
            if any(what in reason for reason in answer.get("reasons", ())):
                return status, answer
            await asyncio.sleep(0.05)


async def test_told_to_stop_while_it_waits_for_its_group_it_does(broker: TestBroker, topic_prefix: str) -> None:
    """The first assignment can take long, and nobody wants to wait for it then."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with WorkerProcess(broker, topic_prefix) as worker:
        await _until_it_says(worker, "waiting for an assignment")
        assert (await worker.terminate(20.0))[0] == 0
