"""A worker that meets what a newer version wrote."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.decisions.entries import HEADER, MAJOR, Claim, encode_entry
from syncline.wire.contract import DECISIONS
from tests.support.brokers import TestBroker
from tests.support.delivering import committed
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
LIMIT_S = 300.0
NEWER = b"%d.0" % (MAJOR + 1)


async def test_a_worker_stops_at_a_newer_entry_and_says_what_to_do(broker: TestBroker, topic_prefix: str) -> None:
    """Not ready with the reason, in this life and the next; that partition is left alone, the others go on."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(200, n_streams=16)
    async with (
        WorkerProcess(broker, topic_prefix) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        sent = await send(broker.address, topic_prefix, samples[:300], N_PARTITIONS)
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        await _append_newer(broker, topic_prefix + DECISIONS)
        await _until_it_says_why(worker)
        await send(broker.address, topic_prefix, samples[300:], N_PARTITIONS, sent=sent)
        here = [key for key in sent.records if key[1] == 0]
        await reader.read_until(lambda seen: seen.undecided(sent) <= len(here) - _n_decided(seen, 0), LIMIT_S)
        worker.kill()
        worker.start()
        await _until_it_says_why(worker)
        outcomes = await reader.read_rest()
        left = [key for key in here if key not in outcomes.by_record]
        assert left, "nothing was left for whoever can read the entry"
        assert [kind for kind in outcomes.kinds() if not kind.startswith("fused")] == []
        assert (await worker.ask("/livez"))[0] == 200
    at = await committed(broker.address, topic_prefix + "workers", topic_prefix + left[0][0], 0)
    assert (at or 0) <= left[0][2], "what nobody decided was acknowledged"


def _n_decided(outcomes: Any, partition: int) -> int:
    return len([key for key in outcomes.by_record if key[1] == partition])


async def _append_newer(broker: TestBroker, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        entry = encode_entry(Claim("a newer worker", 99, 0, 0))
        await producer.send_and_wait(topic, entry, partition=0, headers=[(HEADER, NEWER)])


async def _until_it_says_why(worker: WorkerProcess) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            status, answer = await worker.ask("/readyz")
            reasons = answer.get("reasons", [])
            if status == 503 and any(reason.startswith("partition 0: decisions: the entry at") for reason in reasons):
                assert f"is of version {NEWER.decode()}" in reasons[0]
                assert "start workers of that release" in reasons[0]
                return
            await asyncio.sleep(0.05)
