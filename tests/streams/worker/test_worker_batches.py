"""A worker among batches that no client of ours writes: of a codec that is not here, bombs, larger than taken."""

from __future__ import annotations

import gzip
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from syncline.wire.contract import DEADLETTER
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.events import build_headers
from syncline.wire.placement import partition_for
from tests.support.batches import GZIP, ZSTD, Name, Row, batch_of, send_batch, zstd_frame
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import Sample, moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
N_MOMENTS = 40
LIMIT_S = 300.0
BOMB_BYTES = 100_000_000
TOO_LARGE_BYTES = 8_000_000


async def test_no_batch_stops_those_around_it(broker: TestBroker, topic_prefix: str) -> None:
    """Each of its records has its outcome, and every good record is fused, in the same partition too."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(N_MOMENTS, n_streams=4)
    sent = await send(broker.address, topic_prefix, samples[: len(samples) // 2], N_PARTITIONS)
    (sample,) = [s for s in moments(1, first=N_MOMENTS) if s.event.modality == "image"]
    partition = partition_for(sample.event.stream.encode(), N_PARTITIONS)
    expected: dict[int, str] = {}
    for data, reason, n_records in odd_batches(sample, can_be_broken=broker.kind == "tansu"):
        offset = await send_batch(broker.address, f"{topic_prefix}media.image", partition, data)
        expected |= dict.fromkeys(range(offset, offset + n_records), reason)
    await send(broker.address, topic_prefix, samples[len(samples) // 2 :], N_PARTITIONS, sent=sent)
    async with (
        WorkerProcess(broker, topic_prefix) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        n_records = len(sent.records) + len(expected)
        outcomes = await reader.read_until(lambda seen: len(seen.by_record) == n_records, LIMIT_S)
        assert worker.running
    odd = {offset: outcomes.by_record.pop(("media.image", partition, offset)) for offset in expected}
    assert {offset: _kind(ends) for offset, ends in odd.items()} == expected
    assert outcomes.n_torn(sent) == 0
    letters = await _letters(broker, topic_prefix, partition, sum("deadletter" in what for what in expected.values()))
    large = [letter for letter in letters if letter.reason == "too_large"]
    assert [(letter.key, letter.data is None, letter.cut) for letter in large] == [
        (sample.event.stream.encode(), broker.kind == "apache", ("value",) if broker.kind == "apache" else ()),
    ]


def odd_batches(sample: Sample, *, can_be_broken: bool) -> list[tuple[bytes, str, int]]:
    """(batch, what becomes of its records, how many those are)."""
    key, headers, at_ms = sample.event.stream.encode(), build_headers(sample.event), sample.event.time_ms
    one: Row = (at_ms, key, b"x" * 300, headers)
    found = [
        (batch_of([one], ZSTD, zstd_frame), "fused", 1),
        (batch_of([(at_ms, key, bytes(BOMB_BYTES), headers)], GZIP), "deadletter unreadable", 1),
        (batch_of([(at_ms, key, bytes(TOO_LARGE_BYTES), headers)], GZIP), "deadletter too_large", 1),
        (batch_of([(at_ms, key, b"x", [(Name("n"), b"")])] * 2, GZIP), "deadletter missing_header", 2),
    ]
    if can_be_broken:  # Apache Kafka reads what is packed before it takes it
        found.append((batch_of([one] * 3, GZIP, lambda data: gzip.compress(data)[:-20]), "deadletter unreadable", 3))
    return found


def _kind(ends: set[str]) -> str:
    (end,) = ends
    return "fused" if end.startswith("fused") else end


async def _letters(broker: TestBroker, prefix: str, partition: int, n_letters: int) -> list[Any]:
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(prefix + DEADLETTER, partition)])
        records = [await consumer.getone() for _ in range(n_letters)]
    return [decode_dead_letter(record.key, record.value, record.headers) for record in records]
