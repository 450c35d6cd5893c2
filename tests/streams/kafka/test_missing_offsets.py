"""streams/kafka/consumer_thread.py against real brokers: offsets that a topic does not have are told, whichever way it
is.
"""

from __future__ import annotations

import pytest

from streams.kafka.consumer_thread import Beyond, Deleted, Start
from tests.streams.kafka.test_batch_consumer import IMAGES, fill
from tests.support.broker_admin import commit, delete_below, make_anew
from tests.support.brokers import TestBroker
from tests.support.delivering import Noting
from tests.support.topics import make_topics

N_RECORDS = 100


def told(noting: Noting) -> list[Deleted | Beyond]:
    return [batch.missing for batch in noting.batches if batch.missing is not None]


@pytest.mark.apache
@pytest.mark.parametrize("committed", [0, 10])
async def test_records_deleted_above_the_committed_offset_are_told(
    broker: TestBroker, topic_prefix: str, committed: int
) -> None:
    """Reading goes on where the topic begins now, and the first batch says what is gone."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, N_RECORDS)
    await commit(broker, topic_prefix + "workers", topic, committed)
    await delete_below(broker, topic, 60)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == 40)
        assert noting.assignments[-1][2][topic, 0] == Start(committed, committed)
        assert noting.offsets[noting.epoch][topic, 0] == list(range(60, N_RECORDS))
        assert told(noting) == [Deleted(committed, 60)]
        assert noting.next_offsets[topic, 0] == N_RECORDS


@pytest.mark.apache
async def test_everything_deleted_above_the_committed_offset_is_told(broker: TestBroker, topic_prefix: str) -> None:
    """No record comes, and yet it is said and the position moves on."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, N_RECORDS)
    await commit(broker, topic_prefix + "workers", topic, 10)
    await delete_below(broker, topic, N_RECORDS)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.next_offsets.get((topic, 0)) == N_RECORDS)
        assert told(noting) == [Deleted(10, N_RECORDS)]


@pytest.mark.apache
async def test_records_deleted_while_a_worker_is_behind_are_told(broker: TestBroker, topic_prefix: str) -> None:
    """A topic that is not read for a while, because too much is held, may lose what is next."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, N_RECORDS)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == N_RECORDS)
        noting.hold(topic, 0, True)
        await fill(broker, topic, 20_000, n_bytes=1_000)  # more than one fetch brings
        await delete_below(broker, topic, 20_000)
        noting.hold(topic, 0, False)
        await noting.until(lambda: noting.next_offsets[topic, 0] == 20_100)
        (gone,) = told(noting)
        assert isinstance(gone, Deleted)
        assert gone.stop == 20_000
        offsets = noting.offsets[noting.epoch][topic, 0]
        assert offsets == [*range(gone.start), *range(20_000, 20_100)]


@pytest.mark.apache
async def test_without_a_committed_offset_reading_begins_where_the_topic_does(
    broker: TestBroker, topic_prefix: str
) -> None:
    """What was deleted before the group came was never its own."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, N_RECORDS)
    await delete_below(broker, topic, 60)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == 40)
        assert noting.assignments[-1][2][topic, 0] == Start(None, 60)
        assert told(noting) == []


async def test_a_committed_offset_above_the_end_is_told_and_skips_nothing(
    broker: TestBroker, topic_prefix: str
) -> None:
    """The topic was made anew and holds less than it did: neither waited for in silence nor read from its end."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, 3)
    await commit(broker, topic_prefix + "workers", topic, 50)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: bool(told(noting)))
        missing = told(noting)[0]
        assert isinstance(missing, Beyond)
        assert missing.offset == 50
        assert noting.n_records(topic) == 0


async def test_a_topic_made_anew_while_it_is_read_is_told(broker: TestBroker, topic_prefix: str) -> None:
    """By its end below the position, or by a new assignment: without a committed offset, or, made while the topic was
    away, without the topic, which the hub refuses as torn."""
    await make_topics(broker.address, topic_prefix, 1)
    topic = topic_prefix + IMAGES
    await fill(broker, topic, N_RECORDS)
    async with Noting(broker, topic_prefix) as noting:
        await noting.until(lambda: noting.n_records() == N_RECORDS)
        noting.resolve(topic, 0, N_RECORDS)
        first = noting.epoch

        def begins_anew() -> bool:
            return noting.epoch != first and noting.assignments[-1][2].get((topic, 0)) == Start(None, 0)

        def is_away() -> bool:
            return noting.epoch != first and (topic, 0) not in noting.assignments[-1][2]

        await make_anew(broker, topic)
        await noting.until(lambda: bool(told(noting)) or begins_anew() or is_away())
        assert begins_anew() or is_away() or told(noting)[0] == Beyond(N_RECORDS, 0)
