"""A worker beside producers that write in transactions: committed, aborted, and open."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from streams.decisions.entries import Batch, Claim, encode_entry, version_headers
from streams.join.items import Item, SetDecision
from syncline.wire.contract import DEADLETTER, DECISIONS
from syncline.wire.deadletters import decode_dead_letter
from syncline.wire.ids import id_hash
from tests.support.broker_admin import committed_offsets
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import Sample, moments, send
from tests.support.topics import make_topics, read_records
from tests.support.transactions import put, transactional
from tests.support.worker_process import WorkerProcess

LIMIT_S = 300.0
TEXTS = "media.text"

pytestmark = pytest.mark.apache


async def test_what_was_aborted_has_no_outcome_and_offsets_move_over_it(broker: TestBroker, topic_prefix: str) -> None:
    """At rest what is committed is the end of each topic, whatever stands there last: a mark, or aborted records."""
    await make_topics(broker.address, topic_prefix, 1)
    samples = moments(40, n_streams=4)
    async with (
        WorkerProcess(broker, topic_prefix) as worker,
        Reader(broker.address, topic_prefix, 1) as reader,
        transactional(broker, topic_prefix) as producer,
    ):
        await producer.begin_transaction()
        sent = await put(producer, topic_prefix, samples[:60], 1)
        await producer.commit_transaction()
        for part in (samples[60:90], samples[60:]):  # given up half way, then written again
            await producer.begin_transaction()
            aborted = await put(producer, topic_prefix, part, 1)
            await producer.abort_transaction()
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        await _until_committed(broker, topic_prefix, {key[0]: key[2] + 2 for key in sorted(aborted.records)})
        assert (await worker.terminate())[0] == 0
        worker.start()
        await worker.until_ready()
        await reader.read_rest()
        assert outcomes.violations(sent) == []
        assert (outcomes.n_torn(sent), outcomes.n_repeats) == (0, 0)


async def test_timers_fire_beside_an_open_transaction_and_it_is_named(broker: TestBroker, topic_prefix: str) -> None:
    """The lane that it holds back is missing, as one that is silent; readiness says which topic waits."""
    await make_topics(broker.address, topic_prefix, 1)
    samples = moments(20, n_streams=2)
    texts = [sample for sample in samples if sample.event.modality == "text"]
    async with (
        WorkerProcess(broker, topic_prefix, max_wait_ms=500) as worker,
        Reader(broker.address, topic_prefix, 1) as reader,
        transactional(broker, topic_prefix) as producer,
    ):
        await producer.begin_transaction()
        held = await put(producer, topic_prefix, texts[:1], 1)
        sent = await send(broker.address, topic_prefix, [s for s in samples if s not in texts], 1)
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert {(r.outcome, r.reason, r.missing) for r in outcomes.fused.values()} == {
            ("partial", "timeout", ("text",))
        }
        reason = await worker.until_reason("open transaction")
        assert f"{TEXTS}, partition 0: an open transaction" in reason
        assert "holds back 1 offsets from 0 on" in reason
        await worker.until_reason(f"an open transaction of transactional_id '{topic_prefix}', producer ")
        assert held.records.keys().isdisjoint(outcomes.by_record)
        assert (await worker.ask("/livez"))[0] == 200
        await producer.abort_transaction()
        await worker.until_ready()
        assert held.records.keys().isdisjoint((await reader.read_rest()).by_record)


async def test_a_set_of_an_old_log_with_an_aborted_member_fails_as_lost(broker: TestBroker, topic_prefix: str) -> None:
    """It was decided by a worker that read uncommitted and was cut off; the other members become dead letters."""
    await make_topics(broker.address, topic_prefix, 1)
    samples = moments(1, n_streams=1)
    (text,) = [sample for sample in samples if sample.event.modality == "text"]
    async with transactional(broker, topic_prefix) as producer:
        await producer.begin_transaction()
        await put(producer, topic_prefix, [text], 1)
        sent = await send(broker.address, topic_prefix, [s for s in samples if s is not text], 1)
        await _decide_together(broker, topic_prefix, samples)
        async with WorkerProcess(broker, topic_prefix) as worker, Reader(broker.address, topic_prefix, 1) as reader:
            await worker.until_reason("open transaction")
            assert not (await reader.read_rest()).by_record, "nobody knows yet what becomes of it"
            await producer.abort_transaction()
            outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
            letters = await read_records(broker.address, topic_prefix + DEADLETTER, 2)
            assert outcomes.by_record == {key: {"deadletter lost"} for key in sent.records}
    assert all("failed: lost" in decode_dead_letter(r.key, r.value, r.headers).detail for r in letters)


async def _decide_together(broker: TestBroker, prefix: str, samples: list[Sample]) -> None:
    """Write into the log, as a worker would, that the only record of each topic belongs into one set."""
    order = ("image", "text", "audio")
    members = tuple(
        Item(
            e.stream, e.modality, f"media.{e.modality}", 0, e.time_ms, e.time_ms, id_hash(e.source, e.id), e.time_ms
        )
        for e in sorted((sample.event for sample in samples), key=lambda event: order.index(event.modality))
    )  # fmt: skip
    first_ms = min(item.time_ms for item in members)
    decision = SetDecision(members[0].stream, "earliest", "complete", "complete", first_ms, members)
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for entry in (Claim("an older worker", 0, 0, 1), Batch(0, 2, [decision])):
            await producer.send_and_wait(
                prefix + DECISIONS, encode_entry(entry), partition=0, headers=version_headers()
            )


async def _until_committed(broker: TestBroker, prefix: str, wanted: dict[str, int]) -> None:
    """Wait until these offsets are committed, by topic (unprefixed)."""
    found: dict[str, int | None] = {}
    async with asyncio.timeout(LIMIT_S):
        while found != wanted:
            for topic in wanted:
                (found[topic],) = await committed_offsets(broker, prefix + "workers", prefix + topic, 1)
            await asyncio.sleep(0.1)
