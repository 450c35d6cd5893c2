"""What is read back from a broker is everything that is there, as plain data."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from streams.decisions.entries import Claim, encode_entry, version_headers
from syncline.errors import BrokerError, NewerVersionError
from syncline.wire.contract import CONVERTED_TEXT, DEADLETTER, DECISIONS, FUSED, H_TYPE, UNFUSED
from syncline.wire.converted import encode_converted
from syncline.wire.deadletters import encode_dead_letter, encode_unfused
from syncline.wire.results import encode_fused
from tests.support.brokers import TestBroker
from tests.support.contract import example_converted, example_fused, example_unfused
from tests.support.moments import moments, send
from tests.support.topics import N_PARTITIONS, make_topics, write_records
from verify import CommitSample, read_history, watch_commits
from verify.history import Fused, PublishedConversion, Single, Unreadable


async def test_all_records_of_all_partitions_come_in_order(broker: TestBroker, topic_prefix: str) -> None:
    """Headers, keys and sizes of hundreds of records, sent in large batches, none missing at the end."""
    await make_topics(broker.address, topic_prefix)
    sent = await send(broker.address, topic_prefix, moments(200, n_bytes=17), N_PARTITIONS)
    history = await read_history(broker.address, topic_prefix=topic_prefix)
    assert history.n_partitions == len(history.partitions) == N_PARTITIONS
    found = {
        (topic, partition.partition, record.offset): record
        for partition in history.partitions
        for topic, records in partition.media.items()
        for record in records
    }
    assert found.keys() == sent.records.keys()
    for place, sample in sent.records.items():
        headers = dict(found[place].headers)
        assert (found[place].key, found[place].n_bytes) == (sample.event.stream.encode(), 17)
        assert headers["ce_id"] == sample.event.id.encode()
    for partition in history.partitions:
        for topic, records in partition.media.items():
            assert [record.offset for record in records] == list(range(*partition.spans[topic][:2]))


async def test_every_kind_of_result_is_read(broker: TestBroker, topic_prefix: str) -> None:
    """Fused, converted, unfused, dead letter; what is none of ours is kept as unreadable."""
    await make_topics(broker.address, topic_prefix)
    fused, text, unfused = example_fused(), example_converted(), example_unfused()
    letter = encode_dead_letter(
        reason="empty_value", detail="", topic="media.text", partition=3, offset=9, key=b"s", value=b"", headers=None,
        timestamp_ms=5, set_id="abc",
    )  # fmt: skip
    good = [encode_fused(fused), encode_converted(text), encode_unfused(unfused, None), letter]
    await write_records(broker.address, topic_prefix, [*good, good[0]._replace(value=b"none")])
    history = await read_history(broker.address, topic_prefix=topic_prefix)
    read = {
        (topic, type(record)): record
        for partition in history.partitions
        for topic, records in partition.published.items()
        for record in records
    }
    assert read[FUSED, Fused].id == fused.id
    assert [member.offset for member in read[FUSED, Fused].members] == [member.offset for member in fused.members]
    assert read[CONVERTED_TEXT, PublishedConversion].offset == text.offset
    assert (read[UNFUSED, Single].reason, read[UNFUSED, Single].offset) == (unfused.reason, unfused.offset)
    assert (read[DEADLETTER, Single].partition, read[DEADLETTER, Single].set_id) == (3, "abc")
    assert (FUSED, Unreadable) in read


async def test_the_log_is_read_with_its_versions(broker: TestBroker, topic_prefix: str) -> None:
    """Bytes and version header of each entry."""
    await make_topics(broker.address, topic_prefix)
    data = encode_entry(Claim("w", 1, 0, 0))
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for headers in (version_headers(), []):
            await producer.send_and_wait(topic_prefix + DECISIONS, data, partition=1, headers=headers)
    history = await read_history(broker.address, topic_prefix=topic_prefix)
    assert [entry.data for entry in history.partitions[1].log] == [data, data]
    assert [entry.version for entry in history.partitions[1].log] == [version_headers()[0][1], None]
    assert history.partitions[1].spans[DECISIONS][:2] == (0, 2)


async def test_a_result_of_a_newer_version_stops_the_reading(broker: TestBroker, topic_prefix: str) -> None:
    """What it says is not known, so nothing can be judged."""
    await make_topics(broker.address, topic_prefix)
    record = encode_fused(example_fused())
    headers: list[Any] = [(name, b"syncline.results.fused.v9" if name == H_TYPE else v) for name, v in record.headers]
    await write_records(broker.address, topic_prefix, [record._replace(headers=headers)])
    with pytest.raises(NewerVersionError):
        await read_history(broker.address, topic_prefix=topic_prefix)


async def test_commits_are_looked_at_before_the_results(broker: TestBroker, topic_prefix: str) -> None:
    """A group's offsets where it has committed, and the ends of the result topics as fetches tell them."""
    await make_topics(broker.address, topic_prefix)
    await write_records(broker.address, topic_prefix, [encode_fused(example_fused())] * 3)
    async with watch_commits(broker.address, topic_prefix=topic_prefix, group=topic_prefix + "g") as look:
        sample: CommitSample = await look()
    assert sample.committed == {}
    assert sum(sample.ends.values()) == 3
    assert len(sample.ends) == 5 * N_PARTITIONS


async def test_topics_that_are_not_there_are_named(broker: TestBroker, topic_prefix: str) -> None:
    """Nothing is created by asking."""
    with pytest.raises(BrokerError, match=f"{topic_prefix}media.image"):
        await read_history(broker.address, topic_prefix=topic_prefix)
