"""One backlog read twice from nothing: what is decided depends on the logs, not on how they were read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.decisions.entries import Batch, LogRecord, decode_entry, keys_of
from streams.decisions.ownership import LogValidator
from streams.join.items import Decision, Item, RunDecision, SetDecision
from syncline.wire.contract import CONTENT_TYPES, DEADLETTER, DECISIONS, FUSED, H_DETAIL, H_TIME, MODALITIES, UNFUSED
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.results import decode_fused
from tests.guarantees.media import Media
from tests.guarantees.workload import START_MS, Mix, workload
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 3
N_STREAMS = 12
N_RECORDS = {"tansu": 3_000, "apache": 9_000}
MIX = Mix(silent=0.3, too_large=0.0)
"""A value that no producer takes has no place in a log."""
LIMIT_S = 300.0
NO_TIMERS: dict[str, object] = {"max_wait_ms": 3_600_000, "max_held_events": 100_000, "out_of_order_ms": "text=300"}
"""Neither timers nor pressure decide, so that the logs alone do (law 1)."""
WAYS: tuple[tuple[dict[str, object], ...], ...] = (
    ({},),
    ({"max_fetch_bytes": 4_096, "decode_threads": 1}, {"max_fetch_bytes": 2_048, "decode_threads": 4}),
)
"""How the two copies are read: by one worker in large fetches, by two in small ones."""


class Said(NamedTuple):
    """What a copy's topics hold at the end."""

    decisions: set[tuple[object, ...]]
    records: dict[str, set[tuple[object, ...]]]
    order: dict[str, dict[str, None]]
    """By stream, the ids of its results in the order of their first publication; a rebalance may repeat one."""
    reasons: set[str]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["earliest", "nearest"])
async def test_the_same_backlog_is_decided_and_published_the_same(
    broker_kind: str, broker: TestBroker, topic_prefix: str, strategy: str
) -> None:
    """The same decisions, results equal to the byte but for their timings, each stream's in the same order."""
    backlog = workload(7, N_RECORDS[broker_kind], N_PARTITIONS, N_STREAMS, MIX)
    settling, open_at_the_end = _moment_of_all(backlog, 1), _moment_of_all(backlog, 2)
    media = [*backlog, *settling, *open_at_the_end]
    said: list[Said] = []
    for copy, ways in enumerate(WAYS):
        prefix = f"{topic_prefix}{copy}."
        await make_topics(broker.address, prefix, N_PARTITIONS)
        await _send(broker.address, prefix, media)
        async with AsyncExitStack() as stack, Reader(broker.address, prefix, N_PARTITIONS) as reader:
            for way in ways:
                settings = {"strategy": strategy, **NO_TIMERS, **way}
                await stack.enter_async_context(WorkerProcess(broker, prefix, None, **settings))
            n_decided = len(media) - len(open_at_the_end)
            await reader.read_until(lambda seen, n=n_decided: len(seen.by_record) == n, LIMIT_S)
            await reader.read_rest()
        said.append(await _read(broker.address, prefix))
    first, second = said
    assert first.reasons == {"complete", "watermark"}
    assert first.decisions == second.decisions
    assert {stream: list(ids) for stream, ids in first.order.items()} == {
        stream: list(ids) for stream, ids in second.order.items()
    }
    for topic, records in first.records.items():
        assert records, topic
        assert records == second.records[topic], topic


def _moment_of_all(backlog: Sequence[Media], hours_later: int) -> list[Media]:
    """A whole moment of every stream, long after all others: it settles what stands before it."""
    heads = {media.event.stream: media for media in backlog if media.kind == "ok"}
    moment: list[Media] = []
    for stream, head in heads.items():
        for modality in MODALITIES:
            event = MediaEvent(
                stream=stream, modality=modality, source=f"urn:test:{modality}", id=f"last-{hours_later}",
                time_ms=START_MS + hours_later * 3_600_000, content_type=CONTENT_TYPES[modality][0],
            )  # fmt: skip
            moment.append(Media(event, event.topic, head.partition, head.key, b"last", build_headers(event)))
    return moment


async def _send(brokers: str, prefix: str, media: Sequence[Media]) -> None:
    producer: Any = AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=5, max_batch_size=200_000)
    async with producer:
        sent = [await producer.send(prefix + m.topic, m.value, m.key, m.partition, headers=m.headers) for m in media]
        for number, future in enumerate(sent):
            assert (await future).partition == media[number].partition


async def _read(brokers: str, prefix: str) -> Said:
    said = Said(set(), {FUSED: set(), UNFUSED: set(), DEADLETTER: set()}, {}, set())
    views = {number: LogValidator() for number in range(N_PARTITIONS)}
    for record in await _all_records(brokers, [prefix + topic for topic in (DECISIONS, *said.records)]):
        topic = record.topic.removeprefix(prefix)
        if topic == DECISIONS:
            said.decisions.update(_decided(views[record.partition], record))
            continue
        value = record.value
        if topic == FUSED:
            result = decode_fused(value)
            said.reasons.add(result.reason)
            said.order.setdefault(result.stream, {}).setdefault(result.id)
            value = msgspec.msgpack.encode(msgspec.structs.replace(result, timings_ms={}))
        # A dead letter tells its record's arrival, and by how much a clock was ahead of it: the copies differ in that.
        arrival = (H_TIME, H_DETAIL) if topic == DEADLETTER else ()
        headers = tuple(header for header in record.headers if header[0] not in arrival)
        said.records[topic].add((record.partition, record.key, value, headers))
    return said


async def _all_records(brokers: str, topics: Iterable[str]) -> list[Any]:
    tps = [TopicPartition(topic, number) for topic in topics for number in range(N_PARTITIONS)]
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    records: list[Any] = []
    async with consumer:
        consumer.assign(tps)
        while batches := await consumer.getmany(timeout_ms=1_500):
            records += [record for batch in batches.values() for record in batch]
    return records


def _decided(view: LogValidator, record: Any) -> Iterator[tuple[object, ...]]:
    entry = decode_entry(LogRecord(record.offset, record.value))
    if view.apply(record.offset, entry) == "valid" and isinstance(entry, Batch):
        for decision in entry.decisions:
            yield from _without_arrival(record.partition, decision)


def _without_arrival(partition: int, decision: Decision) -> Iterator[tuple[object, ...]]:
    """A decision without the append times that it notes; a run as one decision an offset, for batches may cut it."""
    if isinstance(decision, RunDecision):
        yield from ((partition, key, decision.outcome, decision.reason) for key in keys_of(decision))
    elif isinstance(decision, SetDecision):
        members = tuple(_timeless(item) for item in decision.members)
        yield partition, msgspec.structs.replace(decision, members=members)
    else:
        item = getattr(decision, "item", None)
        yield partition, decision if item is None else msgspec.structs.replace(decision, item=_timeless(item))


def _timeless(item: Item) -> Item:
    return msgspec.structs.replace(item, append_ms=0)
