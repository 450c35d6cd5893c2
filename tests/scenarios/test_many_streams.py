"""Streams that speak once and fall silent: a worker forgets them."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.test_trickle import rss_mb
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 4
TTL_MS = 2_000
N_WAVES, SETTLED = 6, 3
"""The allocator's level is reached after some waves."""
N_STREAMS = 20_000
"""Of a wave."""
MAX_GROWTH_MB = 100
"""In the last three waves. Where streams were remembered they took 260; a busy machine has shown 51 (the allocator)."""
LIMIT_S = 300.0


@pytest.mark.apache
@pytest.mark.slow
async def test_memory_comes_back_to_its_level_after_the_streams_time(broker: TestBroker, topic_prefix: str) -> None:
    """120,000 names in waves, each once: after `stream_ttl_ms` the last waves have left nothing that was not there."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    levels_mb: list[float] = []
    async with (
        WorkerProcess(broker, topic_prefix, stream_ttl_ms=TTL_MS) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        for wave in range(N_WAVES):
            samples = moments(N_STREAMS, n_streams=N_WAVES * N_STREAMS, first=wave * N_STREAMS)
            sent = await send(broker.address, topic_prefix, samples, N_PARTITIONS)
            await reader.read_until(lambda seen, sent=sent: not seen.undecided(sent), LIMIT_S)
            await asyncio.sleep(TTL_MS / 1_000)
            # Time passes for a partition with the append time of its records: one stream goes on speaking.
            still_there = moments(200, n_streams=1, first=1_000 * wave)
            await send(broker.address, topic_prefix, still_there, N_PARTITIONS)
            await asyncio.sleep(1.0)
            levels_mb.append(rss_mb(worker.pid))
        assert len(reader.outcomes.fused) >= N_WAVES * N_STREAMS
    assert levels_mb[-1] - levels_mb[SETTLED - 1] < MAX_GROWTH_MB, levels_mb
