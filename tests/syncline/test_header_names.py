"""Laws of `syncline.header_names`."""

from __future__ import annotations

from typing import Any

import aiokafka.consumer.fetcher as fetcher_module
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchBuilderPy
from hypothesis import given
from hypothesis import strategies as st

from syncline.events import build_headers, parse_headers
from syncline.header_names import _read_batch, tolerate_header_names
from tests.support.brokers import TestBroker
from tests.support.contract import example_event
from tests.support.topics import make_topics

names = st.text(st.characters(codec="utf-8"), max_size=20)
nullable = st.none() | st.binary(max_size=300)
records = st.lists(
    st.tuples(st.integers(0, 2**40), nullable, nullable, st.lists(st.tuples(names, nullable), max_size=4)),
    min_size=1,
    max_size=5,
)


class Name(str):
    """A header name that is not UTF-8 on the wire."""

    __slots__ = ()

    def encode(self, *_: Any) -> bytes:  # type: ignore[override]
        return b"\xff\xfe"


def batch_of(rows: list[Any], compression: int = 0) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 1_000_000)
    for offset, (timestamp, key, value, headers) in enumerate(rows):
        builder.append(offset, timestamp, key, value, headers)
    return bytes(builder.build())


@given(records, st.sampled_from([0, 1]))
def test_batches_read_as_aiokafka_reads_them(rows: list[Any], compression: int) -> None:
    """Our parser agrees with aiokafka's on every batch that it can read, plain and gzip."""
    data = batch_of(rows, compression)
    ours = [(r.offset, r.timestamp, r.timestamp_type, r.key, r.value, r.headers) for r in _read_batch(memoryview(data))]
    theirs = [
        (r.offset, r.timestamp, r.timestamp_type, r.key, r.value, list(r.headers)) for r in DefaultRecordBatch(data)
    ]
    assert ours == theirs


async def send_raw(address: str, topic: str, data: bytes) -> None:
    """Write a batch as it stands."""
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        batch = producer.create_batch()
        batch.append(key=b"k", value=b"v", timestamp=1)
        batch.close()
        batch._buffer = bytearray(data)
        await (await producer.send_batch(batch, topic, partition=0))
        await producer.send_and_wait(topic, b"after", b"k", 0)


async def read(consumer: AIOKafkaConsumer, n_records: int) -> list[Any]:
    """So many records."""
    return [await consumer.getone() for _ in range(n_records)]


async def test_a_name_that_is_not_utf8_stops_nothing(
    broker: TestBroker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka alone can never pass such a record; with us it is read, and so is everything around it."""
    await make_topics(broker.address, topic_prefix)
    topic = f"{topic_prefix}media.image"
    headers = [*build_headers(example_event()), (Name("xx"), b"1")]
    await send_raw(broker.address, topic, batch_of([(1, b"lobby", b"before", []), (1, b"lobby", b"it", headers)]))
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        original = getattr(fetcher_module.MemoryRecords, "_read", fetcher_module.MemoryRecords)
        monkeypatch.setattr(fetcher_module, "MemoryRecords", original)
        with pytest.raises(UnicodeDecodeError):
            await read(consumer, 3)
    tolerate_header_names()
    tolerate_header_names()
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        found = await read(consumer, 3)
    assert [(record.offset, record.value) for record in found] == [(0, b"before"), (1, b"it"), (2, b"after")]
    assert found[1].headers[-1] == ("\ufffd\ufffd", b"1")
    assert parse_headers("media.image", found[1].key, found[1].headers, 0) == example_event()
