"""What a worker says while its broker is away: few lines, whatever is tried again how often."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 4
OUTAGE_S = {"tansu": 10.0, "apache": 20.0}
"""Longer than the session's time-out, and than all that is tried again within seconds."""
MAX_LINES = 50
LIMIT_S = 300.0


@pytest.mark.slow
async def test_a_broker_that_is_away_takes_few_lines(own_broker: TestBroker, topic_prefix: str) -> None:
    """Some dozens, tracebacks included, where hundreds said the same (1,800 in a minute, by one restart)."""
    await make_topics(own_broker.address, topic_prefix, N_PARTITIONS)
    async with WorkerProcess(own_broker, topic_prefix) as worker:
        async with Reader(own_broker.address, topic_prefix, N_PARTITIONS) as reader:
            sent = await send(own_broker.address, topic_prefix, moments(300), N_PARTITIONS)
            await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        n_before = len(worker.log().splitlines())
        await own_broker.stop()
        await asyncio.sleep(OUTAGE_S[own_broker.kind])
        await own_broker.start()
        if own_broker.kind == "apache":  # Tansu has forgotten all topics
            await worker.until_ready()
        said = worker.log().splitlines()[n_before:]
        assert len(said) <= MAX_LINES, "\n".join(said)
        assert worker.running
