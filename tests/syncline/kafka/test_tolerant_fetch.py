"""Laws of `syncline.kafka.tolerant_fetch`, and of `syncline.kafka.tolerant_fetch` under it."""

from __future__ import annotations

import gzip
import importlib
from typing import Any

import aiokafka
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import ContractError, SynclineError
from syncline.kafka.tolerant_fetch import UnpackError, _AnyBatchConsumer, _read_batch, _Reader, read_any_batch, unpack
from syncline.wire.events import build_headers, parse_headers, why_unreadable
from tests.support.batches import GZIP, LZ4, SNAPPY, ZSTD, Name, Row, batch_of, resealed, send_batch, zstd_frame
from tests.support.brokers import TestBroker
from tests.support.contract import example_event
from tests.support.topics import make_topics

LIMIT_BYTES = 100_000
names = st.text(st.characters(codec="utf-8"), max_size=20)
nullable = st.none() | st.binary(max_size=300)
records = st.lists(
    st.tuples(st.integers(0, 2**40), nullable, nullable, st.lists(st.tuples(names, nullable), max_size=4)),
    min_size=1,
    max_size=5,
)


def read_back(*batches: bytes, limit_bytes: int = LIMIT_BYTES) -> list[Any]:
    """The records of some batches, one behind the other, as the fetcher would have them."""
    reader = _Reader(MemoryRecords, limit_bytes)
    memory, found = reader(b"".join(batches)), list[Any]()
    while memory.has_next():
        batch = memory.next_batch()
        assert batch.validate_crc()
        found += batch
    return found


def why(record: Any) -> str:
    """Why a record cannot be read; nothing else is known of it then."""
    found = why_unreadable(record.headers)
    assert found is not None
    assert (record.key, record.value) == (None, None)
    return found


@given(records, st.sampled_from([0, GZIP]))
def test_batches_read_as_aiokafka_reads_them(rows: list[Row], codec: int) -> None:
    """Plain and packed; and so does our own parser, on every batch that aiokafka's can read."""
    theirs = [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in DefaultRecordBatch(batch_of(rows))]
    for ours in (read_back(batch_of(rows, codec)), list(_read_batch(memoryview(batch_of(rows))))):
        assert [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in ours] == theirs


@given(records, st.data())
def test_a_batch_of_broken_records_is_said_to_be_broken_and_those_around_it_are_read(
    rows: list[Row], data: st.DataObject
) -> None:
    """Any bytes may stand where records belong: they are read, or every offset has a reason; nothing is raised."""
    whole = batch_of(rows)
    at = data.draw(st.integers(61, len(whole) - 1))
    broken = resealed(whole[:at] + data.draw(st.binary(max_size=30)))
    found = read_back(whole, broken, whole)
    around = [(r.key, r.value) for r in (*found[: len(rows)], *found[-len(rows) :])]
    assert around == [(key, value) for _, key, value, _ in rows] * 2


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (gzip.compress(bytes(LIMIT_BYTES + 1)), "hold more than 100000"),
        (gzip.compress(bytes(1_000)) * 101, "hold more than 100000"),
        (gzip.compress(bytes(1_000))[:-9], "cut short"),
        (b"no gzip", "broken gzip"),
        (b"", "broken records"),
        (gzip.compress(b""), "broken records"),
        (gzip.compress(b"\xff" * 50), "broken records"),
    ],
    ids=["one too large", "many too large", "cut short", "another format", "nothing", "an empty one", "no records"],
)
def test_what_cannot_be_unpacked_is_said_for_each_of_its_offsets(packed: bytes, reason: str) -> None:
    """A record each, without key and value, whose headers say why; the contract's reader refuses them as unreadable."""
    rows: list[Row] = [(1, b"k", b"v", [])] * 3
    found = read_back(batch_of(rows, GZIP, lambda _: packed))
    assert [record.offset for record in found] == [0, 1, 2]
    assert all(reason in why(record) for record in found)
    with pytest.raises(ContractError, match="unreadable: "):
        parse_headers("media.image", found[0].key, found[0].headers, 1)


def test_no_producer_can_say_that_its_record_is_unreadable() -> None:
    """The headers that say it are of a type of ours, which no bytes on the wire become."""
    (record,) = read_back(batch_of([(1, b"k", b"v", [("unreadable", b"not at all")])]))
    assert why_unreadable(record.headers) is None


@pytest.mark.parametrize("codec", [SNAPPY, LZ4, ZSTD, 5, 6, 7])
def test_without_its_library_a_codec_is_named(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to install; a number that is no codec is said to be none."""

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    names = {SNAPPY: "snappy, .*cramjam", LZ4: "lz4, .*cramjam", ZSTD: "zstd, .*cramjam"}
    with pytest.raises(UnpackError, match=names.get(codec, "not one of Kafka's")):
        unpack(codec, b"x", LIMIT_BYTES)


@pytest.mark.parametrize("codec", [SNAPPY, LZ4, ZSTD])
@pytest.mark.parametrize("n_bytes", [0, 10, 50_000, LIMIT_BYTES, LIMIT_BYTES + 1, 50_000_000])
def test_each_codec_unpacks_up_to_the_limit(codec: int, n_bytes: int) -> None:
    """What is larger, by a byte or by 50 MB, is refused before it is made; what is cut is broken."""
    codecs = importlib.import_module("aiokafka.codec")
    pack = {SNAPPY: codecs.snappy_encode, LZ4: codecs.lz4_encode, ZSTD: codecs.zstd_encode}[codec]
    packed = pack(bytes(n_bytes))
    if n_bytes > LIMIT_BYTES:
        with pytest.raises(UnpackError, match="hold more than 100000"):
            unpack(codec, packed, LIMIT_BYTES)
        return
    assert unpack(codec, packed, LIMIT_BYTES) == bytes(n_bytes)
    if n_bytes > 10:
        with pytest.raises(UnpackError, match="broken"):
            unpack(codec, packed[:-3], LIMIT_BYTES)


def test_a_zstd_frame_made_by_hand_is_one() -> None:
    """What the worker's test sends is what a client with zstd would send."""
    assert unpack(ZSTD, zstd_frame(b"abc" * 1_000), LIMIT_BYTES) == b"abc" * 1_000


async def read(consumer: AIOKafkaConsumer, n_records: int) -> list[Any]:
    """So many records."""
    return [await consumer.getone() for _ in range(n_records)]


class Fetcher:
    """One that makes records by another class."""

    async def _proc_fetch_request(self) -> None: ...


def test_a_fetcher_that_reads_by_another_class_is_not_taken() -> None:
    """Ours would be without effect, and one broken record would stop its partition again."""
    consumer: Any = object.__new__(_AnyBatchConsumer)
    consumer.any_batch_reader = _Reader(MemoryRecords, LIMIT_BYTES)
    with pytest.raises(SynclineError, match=f"aiokafka {aiokafka.__version__}.*MemoryRecords"):
        consumer._fetcher = Fetcher()
    with pytest.raises(SynclineError, match=f"aiokafka {aiokafka.__version__} has no object._proc_fetch_request"):
        consumer._fetcher = object()


async def test_a_name_that_is_not_utf8_stops_nothing(broker: TestBroker, topic_prefix: str) -> None:
    """aiokafka alone can never pass such a record; a consumer of ours reads it, and all around it, and is the only one.

    What one consumer of a process does with such records is no other one's business.
    """
    await make_topics(broker.address, topic_prefix)
    topic = f"{topic_prefix}media.image"
    headers = [*build_headers(example_event()), (Name("xx"), b"1")]
    batch = batch_of([(1, b"lobby", b"before", []), (1, b"lobby", b"it", headers)])
    await send_batch(broker.address, topic, 0, batch)
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        await producer.send_and_wait(topic, b"after", b"k", 0)
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        ours = AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest")
        read_any_batch(ours)
        async with ours:
            ours.assign([TopicPartition(topic, 0)])
            found = await read(ours, 3)
        with pytest.raises(UnicodeDecodeError):
            await read(consumer, 3)
    assert [(record.offset, record.value) for record in found] == [(0, b"before"), (1, b"it"), (2, b"after")]
    assert found[1].headers[-1] == ("\ufffd\ufffd", b"1")
    assert parse_headers("media.image", found[1].key, found[1].headers, 0) == example_event()
