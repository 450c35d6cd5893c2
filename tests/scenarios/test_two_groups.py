"""Two consumer groups on one topic prefix: the log belongs to one of them, and the other is told so."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.decisions.entries import Claim, LogRecord, decode_entry
from syncline.wire.contract import DECISIONS
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

LIMIT_S = 300.0


@pytest.mark.slow
async def test_a_second_group_decides_nothing_until_it_takes_the_log_over(
    broker: TestBroker, topic_prefix: str
) -> None:
    """It is not ready and names the first one; both do not claim in turn; told to, it carries the log on."""
    await make_topics(broker.address, topic_prefix, 1)
    one, two = topic_prefix + "one", topic_prefix + "two"
    async with (
        WorkerProcess(broker, topic_prefix, group=one) as first,
        WorkerProcess(broker, topic_prefix, group=two) as second,
        WorkerProcess(broker, topic_prefix, group=two, take_over=one) as heir,
        Reader(broker.address, topic_prefix, 1) as reader,
    ):
        second.kill()
        heir.kill()
        await first.until_ready()
        sent = await send(broker.address, topic_prefix, moments(200, missing=0.1), 1)
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        second.start()
        assert f"belongs to consumer group '{one}'" in await second.until_reason("--take-over")
        n_claims = (await _claims(broker, topic_prefix))[two]
        sent = await send(broker.address, topic_prefix, moments(200, first=200, missing=0.1), 1, sent=sent)
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        await asyncio.sleep(2.0)  # heartbeats go on meanwhile: none of them makes it claim again
        assert (await _claims(broker, topic_prefix))[two] == n_claims
        assert (await second.ask("/livez"))[0] == 200
        second.kill()
        first.kill()
        heir.start()
        await heir.until_ready()
        sent = await send(broker.address, topic_prefix, moments(200, first=400, missing=0.1), 1, sent=sent)
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        outcomes = await reader.read_rest()
        assert outcomes.violations(sent) == [], heir.log()[-2000:]
        first.start()
        assert f"belongs to consumer group '{two}'" in await first.until_reason("--take-over")


async def _claims(broker: TestBroker, prefix: str) -> Counter[str]:
    """How many claims each group has in the log."""
    found: list[Any] = []
    async with AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(prefix + DECISIONS, 0)])
        while batches := await consumer.getmany(timeout_ms=1_500):
            found += [record for records in batches.values() for record in records]
    entries = [decode_entry(LogRecord(record.offset, record.value)) for record in found]
    return Counter(entry.group for entry in entries if isinstance(entry, Claim))
