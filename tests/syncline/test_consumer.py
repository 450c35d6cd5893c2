"""Laws of `syncline.consumer`."""

from __future__ import annotations

import gc

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from syncline import BrokerError, NewerVersionError, ResultConsumer, SettingsError
from syncline.consumer import ConsumerProgress, Received
from syncline.wire.converted import encode_converted
from syncline.wire.deadletters import DeadLetter, encode_dead_letter, encode_unfused
from syncline.wire.results import FusedResult, OutgoingRecord, encode_fused
from tests.support.brokers import TestBroker
from tests.support.contract import example_converted, example_fused, example_unfused
from tests.support.topics import make_topics, write_records

LIMIT_S = 300.0


async def committed(broker: TestBroker, group: str, prefix: str, number: int) -> int | None:
    """What the group has committed of one partition of the fused results, asked without joining the group.

    On Tansu a second member waits for the first one's session to end.
    """
    partition = TopicPartition(f"{prefix}results.fused", number)
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, group_id=group) as plain:
        plain.assign([partition])
        return await plain.committed(partition)


def fused(*ids: str) -> list[OutgoingRecord]:
    return [encode_fused(example_fused(id)) for id in ids]  # noqa: A001


async def take(results: ResultConsumer, n_results: int) -> list[Received]:
    """So many results; fails where one does not come."""
    found: list[Received] = []
    for _ in range(n_results):
        received = await results.receive(LIMIT_S)
        assert received is not None
        found.append(received)
    return found


def ids(found: list[Received]) -> list[str]:
    return [received.result.id for received in found]


async def test_results_of_every_topic_are_typed(broker: TestBroker, topic_prefix: str) -> None:
    """Each topic gives its own type, with the record's place."""
    await make_topics(broker.address, topic_prefix)
    letter = encode_dead_letter(
        reason="bad_time", detail="x", topic="media.image", partition=0, offset=1, key=b"lobby", value=b"?",
        headers=None, timestamp_ms=0,
    )  # fmt: skip
    unfused = encode_unfused(example_unfused(), [])
    records = [encode_fused(example_fused()), encode_converted(example_converted()), unfused, letter]
    await write_records(broker.address, topic_prefix, records)
    topics = [record.topic for record in records]
    async with ResultConsumer(broker.address, topics, topic_prefix=topic_prefix) as results:
        found = {received.topic: received for received in await take(results, 4)}
    assert found["results.fused"].result == example_fused()
    assert found["converted.text"].result == example_converted()
    assert found["unfused"].result == example_unfused()
    assert isinstance(found["deadletter"].result, DeadLetter)
    assert {received.offset for received in found.values()} == {0}
    assert len({received.partition for received in found.values()}) == 1


async def test_repeats_are_dropped_and_counted(broker: TestBroker, topic_prefix: str) -> None:
    """A result that the service wrote again after a crash is handed out once."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, fused("a", "b", "a", "a", "c"))
    seen: list[int] = []

    def note(progress: ConsumerProgress) -> None:
        seen.append(progress.n_received)

    async with ResultConsumer(broker.address, topic_prefix=topic_prefix, on_progress=note) as results:
        assert ids(await take(results, 3)) == ["a", "b", "c"]
    assert (results.progress.n_received, results.progress.n_repeats) == (3, 2)
    assert seen == [1, 2, 3]


async def test_nothing_is_kept_of_repeats_and_they_are_done_without_being_handed_out(
    broker: TestBroker, topic_prefix: str
) -> None:
    """Of a long run of them no record stays in memory, and all are committed, though nobody asks for more."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, [*fused("a", "b"), *fused("a", "b") * 100])
    group = f"{topic_prefix}group"
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix, group_id=group) as results:
        found = await take(results, 2)
        while not await results.at_end():
            assert await results.receive(0.1) is None
        assert results.progress.n_repeats == 200
        gc.collect()
        assert not [kept for kept in gc.get_objects() if type(kept) is ConsumerRecord]
    assert await committed(broker, group, topic_prefix, found[0].partition) == 202


async def test_what_is_passed_over_behind_a_result_in_hand_is_done_with_it(
    broker: TestBroker, topic_prefix: str
) -> None:
    """A repeat behind a result that nobody has finished must not mark that one as done."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, fused("a", "a"))
    group = f"{topic_prefix}group"
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix, group_id=group) as results:
        (found,) = await results.receive_many(2, 2.0)
        assert results.progress.n_repeats == 1
    assert await committed(broker, group, topic_prefix, found.partition) is None


async def test_memory_of_ids_is_bounded(broker: TestBroker, topic_prefix: str) -> None:
    """A repeat further back than `remember_ids` results comes again: documented, and counted as received."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, fused("a", "b", "b", "c", "a"))
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix, remember_ids=2) as results:
        assert ids(await take(results, 4)) == ["a", "b", "c", "a"]
    assert results.progress.n_repeats == 1


async def test_what_cannot_be_read_is_skipped_and_counted(broker: TestBroker, topic_prefix: str) -> None:
    """Somebody else's record in a result topic does not end the reading."""
    await make_topics(broker.address, topic_prefix)
    await write_records(
        broker.address, topic_prefix, [OutgoingRecord("results.fused", b"lobby", b"rubbish", []), *fused("a")]
    )
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix) as results:
        assert ids(await take(results, 1)) == ["a"]
    assert results.progress.n_unreadable == 1


async def test_a_result_of_a_newer_version_is_never_skipped(broker: TestBroker, topic_prefix: str) -> None:
    """Reading stops there with the reason, each time it is tried, and what came before is committed without it."""
    await make_topics(broker.address, topic_prefix)
    (old,) = fused("a")
    newer = old._replace(headers=[("ce_type", b"syncline.results.fused.v2")])
    await write_records(broker.address, topic_prefix, [old, newer])
    group = f"{topic_prefix}group"
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix, group_id=group) as results:
        (found,) = await take(results, 1)
        for _ in range(2):
            with pytest.raises(NewerVersionError, match=r"syncline\.results\.fused\.v2.*upgrade it"):
                await results.receive(LIMIT_S)
    assert await committed(broker, group, topic_prefix, found.partition) == found.offset + 1


async def test_latest_begins_where_the_topic_ended(broker: TestBroker, topic_prefix: str) -> None:
    """From latest, what was there before is not read, and nothing written after entering is skipped."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, fused("old"))
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix, start="latest") as results:
        await write_records(broker.address, topic_prefix, fused("new"))
        assert ids(await take(results, 1)) == ["new"]


async def test_a_group_commits_what_it_finished(broker: TestBroker, topic_prefix: str) -> None:
    """A result is done when the next is asked for: of a, b and c in hand, a and b are committed, and c comes again."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, fused("a", "b", "c", "d"))
    group = f"{topic_prefix}group"
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix, group_id=group) as results:
        found = await take(results, 3)
    assert await committed(broker, group, topic_prefix, found[0].partition) == 2


async def test_a_batch_is_done_as_a_whole_when_it_is_said_so(broker: TestBroker, topic_prefix: str) -> None:
    """Of three in hand none is committed, repeats among them or not; `commit` commits all that was handed out."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, fused("a", "a", "b", "c", "d"))
    group = f"{topic_prefix}group"
    committed: list[int | None] = []
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, group_id=group) as plain:
        async with ResultConsumer(broker.address, topic_prefix=topic_prefix, group_id=group) as results:
            found = await results.receive_many(3, LIMIT_S)
            partition = TopicPartition(f"{topic_prefix}results.fused", found[0].partition)
            plain.assign([partition])
            committed.append(await plain.committed(partition))
            await results.commit()
            committed.append(await plain.committed(partition))
            assert ids(await results.receive_many(3, 0.5)) == ["d"]
        committed.append(await plain.committed(partition))
    assert ids(found) == ["a", "b", "c"]
    assert committed == [None, 4, 4]


async def test_a_batch_ends_before_a_result_of_a_newer_version(broker: TestBroker, topic_prefix: str) -> None:
    """What came before it is handed out, the error is raised when more is asked for."""
    await make_topics(broker.address, topic_prefix)
    (old,) = fused("a")
    newer = old._replace(headers=[("ce_type", b"syncline.results.fused.v2")])
    await write_records(broker.address, topic_prefix, [old, newer])
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix) as results:
        assert ids(await results.receive_many(9, 1.0)) == ["a"]
        with pytest.raises(NewerVersionError):
            await results.receive_many(9, LIMIT_S)


async def test_the_end_is_told_once_all_was_handed_out(broker: TestBroker, topic_prefix: str) -> None:
    """Not before; what is written later does not move it."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, fused("a", "b"))
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix) as results:
        await take(results, 1)
        assert not await results.at_end()
        await take(results, 1)
        while not await results.at_end():  # the other partitions' ends may not have been heard of
            assert await results.receive(0.1) is None
        await write_records(broker.address, topic_prefix, fused("c"))
        assert await results.at_end()
    assert await results.at_end()


async def test_it_is_an_async_iterator(broker: TestBroker, topic_prefix: str) -> None:
    """`async for` gives results as they come."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, fused("a", "b"))
    found: list[str] = []
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix) as results:
        async for received in results:
            assert isinstance(received.result, FusedResult)
            found.append(received.result.id)
            if len(found) == 2:
                break
    assert found == ["a", "b"]


async def test_receive_gives_none_when_nothing_comes(broker: TestBroker, topic_prefix: str) -> None:
    """A time limit ends the waiting, not the consumer."""
    await make_topics(broker.address, topic_prefix)
    async with ResultConsumer(broker.address, topic_prefix=topic_prefix) as results:
        assert await results.receive(0.05) is None
        await write_records(broker.address, topic_prefix, fused("a"))
        assert ids(await take(results, 1)) == ["a"]


async def test_missing_topics_are_named_and_not_made(broker: TestBroker, topic_prefix: str) -> None:
    """A consumer of topics that do not exist says so, twice."""
    for _ in range(2):
        with pytest.raises(BrokerError, match=rf"{topic_prefix}results\.fused.*syncline topics create"):
            await ResultConsumer(broker.address, topic_prefix=topic_prefix).__aenter__()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"topics": ["decisions"]}, "topics"),
        ({"topics": []}, "topics"),
        ({"start": "now"}, "start"),
        ({"remember_ids": 0}, "remember_ids"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], name: str) -> None:
    """A wrong argument is named with what it takes."""
    with pytest.raises(SettingsError) as caught:
        ResultConsumer(**arguments)  # type: ignore[arg-type]
    assert caught.value.name == name
