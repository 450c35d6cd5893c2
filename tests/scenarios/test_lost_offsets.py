"""What a worker knew is gone: records by retention, committed offsets with their group, a topic with all it held."""

from __future__ import annotations

import re

import pytest

from syncline.wire.placement import partition_for
from tests.support.broker_admin import committed_offsets, delete_below, delete_group, make_anew
from tests.support.brokers import TestBroker
from tests.support.judge import Outcomes, Reader
from tests.support.moments import Sample, Sent, moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
N_MOMENTS = 300
LIMIT_S = 300.0
IMAGES = "media.image"


def _samples(first: int, n_moments: int = N_MOMENTS, missing: float = 0.0) -> list[Sample]:
    return moments(n_moments, n_streams=6, first=first, seed=first, missing=missing)


async def _work_off(
    broker: TestBroker, prefix: str, reader: Reader, samples: list[Sample], sent: Sent | None = None
) -> Sent:
    """Have a worker do all of these, and end it."""
    sent = await send(broker.address, prefix, samples, N_PARTITIONS, sent=sent)
    async with WorkerProcess(broker, prefix) as worker:
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert (await worker.terminate())[0] == 0
    return sent


def _lost(outcomes: Outcomes, sent: Sent) -> set[tuple[str, int, int]]:
    return sent.records.keys() - outcomes.by_record.keys()


@pytest.mark.apache
@pytest.mark.slow
async def test_what_retention_took_is_said_aloud_and_the_rest_is_judged(broker: TestBroker, topic_prefix: str) -> None:
    """An error with topic, partition, committed and earliest offset and how many nobody judged; then on from there."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with Reader(broker.address, topic_prefix, N_PARTITIONS) as reader:
        sent = await _work_off(broker, topic_prefix, reader, _samples(0))
        (committed, _) = await committed_offsets(broker, topic_prefix + "workers", topic_prefix + IMAGES, N_PARTITIONS)
        assert committed
        await send(broker.address, topic_prefix, _samples(N_MOMENTS), N_PARTITIONS, sent=sent)
        earliest = committed + 40
        await delete_below(broker, topic_prefix + IMAGES, earliest)
        gone = {(IMAGES, 0, offset) for offset in range(committed, earliest)}
        async with WorkerProcess(broker, topic_prefix) as worker:
            await reader.read_until(lambda seen: _lost(seen, sent) == gone, LIMIT_S)
            outcomes = await reader.read_rest()
            await worker.until_ready()
            log = worker.log()
    line = next(line for line in log.splitlines() if " ERROR " in line)
    assert f"{topic_prefix}{IMAGES}, partition 0: offsets {committed} to {earliest - 1} were deleted" in line
    assert f"the committed offset is {committed}, the earliest is {earliest}" in line
    assert "40 records were never judged" in line
    assert "retention.ms" in line
    for key in gone:
        del sent.records[key]
    assert outcomes.violations(sent) == []


@pytest.mark.apache
@pytest.mark.slow
async def test_decisions_outlive_the_group(broker: TestBroker, topic_prefix: str) -> None:
    """Its offsets expired: all is read again, each record keeps its one outcome, repeats are as they were."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with Reader(broker.address, topic_prefix, N_PARTITIONS) as reader:
        sent = await _work_off(broker, topic_prefix, reader, _samples(0, missing=0.1))
        n_decided = len((await reader.read_rest()).by_record)
        await delete_group(broker, topic_prefix + "workers")
        await send(broker.address, topic_prefix, _samples(N_MOMENTS, missing=0.1), N_PARTITIONS, sent=sent)
        async with WorkerProcess(broker, topic_prefix) as worker:
            await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
            outcomes = await reader.read_rest()
            assert "no offset is committed, and the decision log holds decisions on" in worker.log()
        assert outcomes.violations(sent) == []
        assert len(outcomes.by_record) > n_decided
        assert (
            await committed_offsets(broker, topic_prefix + "workers", topic_prefix + IMAGES, N_PARTITIONS) != [None] * 2
        )


@pytest.mark.apache
@pytest.mark.slow
@pytest.mark.parametrize("n_moments", [0, 20, 2 * N_MOMENTS])
async def test_a_topic_made_anew_is_refused_with_what_to_do(
    broker: TestBroker, topic_prefix: str, n_moments: int
) -> None:
    """Whether it is empty, shorter or longer: not read, not waited for in silence, not taken for the old one."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with Reader(broker.address, topic_prefix, N_PARTITIONS) as reader:
        await _work_off(broker, topic_prefix, reader, _samples(0))
        before = (await reader.read_rest()).by_record.keys()
        await make_anew(broker, topic_prefix + IMAGES, N_PARTITIONS)
        images = [sample for sample in _samples(5_000, n_moments) if sample.event.modality == "image"]
        await send(broker.address, topic_prefix, images, N_PARTITIONS)
        async with WorkerProcess(broker, topic_prefix) as worker:
            reasons = await worker.until_reason("was deleted and created again")
            assert re.search(r"partition \d: media\.image was deleted and created again", reasons)
            assert "delete the consumer group" in reasons
            assert worker.running
        assert (await reader.read_rest()).by_record.keys() == before


def test_the_streams_of_these_tests_are_in_both_partitions() -> None:
    """Else half of what is asserted here would be asserted of nothing."""
    streams = {sample.event.stream for sample in _samples(0)}
    assert {partition_for(stream.encode(), N_PARTITIONS) for stream in streams} == set(range(N_PARTITIONS))
