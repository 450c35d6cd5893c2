"""`syncline topics grow`: what it refuses, and that nothing has grown then."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import NewPartitions

from syncline.kafka.topics import read_topics
from syncline.wire.contract import ALL_TOPICS, MEDIA_TOPICS
from tests.support.broker_admin import admin_of, commit
from tests.support.brokers import TestBroker
from tests.support.command_line import Ran, run_command_beside
from tests.support.moments import moments, send
from tests.support.topics import make_topics


async def grow(broker: TestBroker, prefix: str, n_partitions: int, *flags: str) -> Ran:
    """Run the command for a group that has no workers."""
    where = ["--brokers", broker.address, "--topic-prefix", prefix, "--group", prefix + "workers"]
    return await run_command_beside("topics", "grow", "--partitions", str(n_partitions), *where, *flags)


async def counts(broker: TestBroker, prefix: str) -> set[int]:
    """The numbers of partitions that topics have."""
    states = await read_topics(broker.address, [prefix + topic for topic in ALL_TOPICS], with_config=False)
    return {state.n_partitions for state in states.values()}


@pytest.mark.parametrize("n_partitions", [1, 2])
async def test_only_a_larger_number_is_taken(broker: TestBroker, topic_prefix: str, n_partitions: int) -> None:
    """Topics cannot have fewer, and with as many there is nothing to do."""
    await make_topics(broker.address, topic_prefix, 2)
    ran = await grow(broker, topic_prefix, n_partitions)
    assert ran.code == 2
    assert "--partitions" in ran.err
    assert "a number above 2" in ran.err


async def test_topics_that_are_not_there_are_named(broker: TestBroker, topic_prefix: str) -> None:
    """And none is made."""
    for _ in range(2):
        ran = await grow(broker, topic_prefix, 2)
        assert ran.code == 1
        assert topic_prefix + "media.image" in ran.err


async def test_media_that_nobody_resolves_keep_topics_as_they_are(broker: TestBroker, topic_prefix: str) -> None:
    """With their number and where they are."""
    await make_topics(broker.address, topic_prefix, 2)
    await send(broker.address, topic_prefix, moments(4), 2)
    ran = await grow(broker, topic_prefix, 3, "--wait-s", "0.1")
    assert ran.code == 1
    assert "12 records (media.audio partition" in ran.err
    assert ran.err.rstrip().endswith("nothing was changed")
    assert await counts(broker, topic_prefix) == {2}


async def test_media_that_keep_coming_keep_topics_as_they_are(broker: TestBroker, topic_prefix: str) -> None:
    """Producers were not stopped."""
    await make_topics(broker.address, topic_prefix, 2)
    await send(broker.address, topic_prefix, moments(4), 2)
    growing = asyncio.create_task(grow(broker, topic_prefix, 3))
    while not growing.done():
        await send(broker.address, topic_prefix, moments(1), 2)
    assert growing.result().code == 1
    assert "came while this waited: stop all producers" in growing.result().err
    assert await counts(broker, topic_prefix) == {2}


async def test_a_broker_that_cannot_add_partitions_says_so(
    broker_kind: str, broker: TestBroker, topic_prefix: str
) -> None:
    """The embedded one cannot."""
    await make_topics(broker.address, topic_prefix, 2)
    ran = await grow(broker, topic_prefix, 3)
    if broker_kind == "tansu":
        assert (ran.code, "cannot add partitions" in ran.err) == (1, True)
    else:
        assert (ran.code, ran.out.splitlines()[-1]) == (0, "producers may go on")
        assert await counts(broker, topic_prefix) == {3}


@pytest.mark.apache
async def test_what_is_resolved_may_have_been_deleted_since(broker: TestBroker, topic_prefix: str) -> None:
    """A committed offset at the end is enough."""
    await make_topics(broker.address, topic_prefix, 1)
    await send(broker.address, topic_prefix, moments(3), 1)
    for topic in MEDIA_TOPICS:
        await commit(broker, topic_prefix + "workers", topic_prefix + topic, 3)
    assert (await grow(broker, topic_prefix, 2)).code == 0


@pytest.mark.apache
async def test_half_grown_topics_are_grown_to_the_end(broker: TestBroker, topic_prefix: str) -> None:
    """Somebody was interrupted; workers have halted, so nothing is waited for."""
    await make_topics(broker.address, topic_prefix, 2)
    await send(broker.address, topic_prefix, moments(4), 2)
    async with admin_of(broker) as admin:
        await admin.create_partitions({topic_prefix + "decisions": NewPartitions(4)})
    fewer = await grow(broker, topic_prefix, 3)
    assert (fewer.code, "a number from 4" in fewer.err) == (2, True)
    assert (await grow(broker, topic_prefix, 4)).code == 0
    assert await counts(broker, topic_prefix) == {4}
