"""A worker that is frozen until its streams have gone to another, then thaws: the zombie."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import SESSION_TIMEOUT_MS, WorkerProcess

N_PARTITIONS = 4
N_MOMENTS = 8_000
RECORDS_PER_S = 800
LIMIT_S = 300.0


@pytest.mark.apache
@pytest.mark.slow
async def test_what_a_frozen_worker_does_when_it_thaws_changes_nothing(broker: TestBroker, topic_prefix: str) -> None:
    """Its proposals stand behind another's claim, its commits are refused: each record has one outcome."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(N_MOMENTS, missing=0.1, seed=5)
    async with (
        WorkerProcess(broker, topic_prefix) as first,
        WorkerProcess(broker, topic_prefix) as second,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await first.until_ready()
        await second.until_ready()
        sent = await send(broker.address, topic_prefix, samples[:3_000], N_PARTITIONS)
        rest = send(broker.address, topic_prefix, samples[3_000:], N_PARTITIONS, per_s=RECORDS_PER_S, sent=sent)
        sending = asyncio.create_task(rest)
        for victim in (first, second):
            n_now = len(reader.outcomes.by_record)
            await reader.read_until(lambda seen, n=n_now: len(seen.by_record) > n + 500, LIMIT_S)
            victim.signal(signal.SIGSTOP)
            await asyncio.sleep(SESSION_TIMEOUT_MS[broker.kind] / 1_000 + 3)
            victim.signal(signal.SIGCONT)
        await sending
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        outcomes = await reader.read_rest()
        assert outcomes.violations(sent) == [], first.log()[-2000:] + second.log()[-2000:]
        assert first.running
        assert second.running
