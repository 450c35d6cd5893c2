"""Settings that change from life to life of a worker that is killed: no record is decided twice."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
LIMIT_S = 300.0
LIVES: list[dict[str, object]] = [
    {"strategy": "tumbling", "size_ms": 200},
    {"strategy": "nearest", "pivot": "text", "share": "true"},
    {"strategy": "nearest", "pivot": "image"},
    {"strategy": "earliest", "lanes": "image,text", "tolerance_ms": 60},
    {"strategy": "tumbling", "size_ms": 400, "max_event_bytes": 150},
    {"strategy": "earliest", "require": "audio", "max_ahead_ms": 0},
]
N_EACH = 400


@pytest.mark.slow
async def test_what_is_decided_stands_whoever_carries_it_out(broker: TestBroker, topic_prefix: str) -> None:
    """Each life decides by its own settings; what it left in the log ends as that says, in one outcome."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = [
        sample
        for number in range(len(LIVES))
        for sample in moments(N_EACH, first=number * N_EACH, missing=0.1, seed=number, n_bytes=100 + number % 2 * 200)
    ]
    async with Reader(broker.address, topic_prefix, N_PARTITIONS) as reader:
        sending = asyncio.create_task(send(broker.address, topic_prefix, samples, N_PARTITIONS, per_s=300))
        for settings in LIVES:
            async with WorkerProcess(broker, topic_prefix, max_wait_ms=700, **settings) as worker:
                n_before = len(reader.outcomes.by_record)
                await reader.read_until(lambda seen, n=n_before: len(seen.by_record) > n + 300, LIMIT_S)
                worker.kill()
        sent = await sending
        async with WorkerProcess(broker, topic_prefix, max_wait_ms=700) as worker:
            outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
            await reader.read_rest()
    shared = {key for key, ends in outcomes.by_record.items() if all(end.startswith("fused") for end in ends)}
    twice = {key: ends for key, ends in outcomes.by_record.items() if len(ends) > 1 and key not in shared}
    assert not twice, worker.log()[-2000:]
    assert outcomes.differing == []
