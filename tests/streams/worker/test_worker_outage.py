"""A worker whose broker goes away: it ends when told to, and otherwise waits."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
LIMIT_S = 300.0
STOP_LIMIT_MS, SLACK_S = 3_000, 4.0


async def test_a_second_sigterm_ends_it_at_once(own_broker: TestBroker, topic_prefix: str) -> None:
    """A broker that has gone can hold up the first, however long the drain may take."""
    async with WorkerProcess(own_broker, topic_prefix, stop_limit_ms=3_600_000) as worker:
        await _work_until_the_broker_goes(worker, own_broker, topic_prefix)
        worker.signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            while "carrying out" not in worker.log():  # noqa: ASYNC110 (a file has no event)
                await asyncio.sleep(0.02)
        worker.signal(signal.SIGTERM)
        assert (await worker.wait())[0] == 1
    await own_broker.start()


@pytest.mark.timing
async def test_without_a_broker_it_ends_in_time_too(own_broker: TestBroker, topic_prefix: str) -> None:
    """Carrying out, leaving the group and disconnecting share one limit; what was left undone is in the log."""
    async with WorkerProcess(own_broker, topic_prefix, stop_limit_ms=STOP_LIMIT_MS) as worker:
        await _work_until_the_broker_goes(worker, own_broker, topic_prefix)
        began_s = time.monotonic()
        assert (await worker.terminate())[0] == 1
        assert time.monotonic() - began_s < STOP_LIMIT_MS / 1_000 + SLACK_S
        assert "the group was not left" in worker.log()
    await own_broker.start()


async def _work_until_the_broker_goes(worker: WorkerProcess, broker: TestBroker, prefix: str) -> None:
    await make_topics(broker.address, prefix, N_PARTITIONS)
    await send(broker.address, prefix, moments(2_000, n_bytes=1_000), N_PARTITIONS)
    async with Reader(broker.address, prefix, N_PARTITIONS) as reader:
        await reader.read_until(lambda seen: len(seen.fused) > 0, LIMIT_S)
    await broker.stop()


@pytest.mark.apache
@pytest.mark.slow
async def test_a_broker_that_goes_away_and_comes_back_costs_nothing(own_broker: TestBroker, topic_prefix: str) -> None:
    """The same process waits and goes on; every record has one outcome."""
    await make_topics(own_broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(2_000)
    sent = await send(own_broker.address, topic_prefix, samples[:3_000], N_PARTITIONS)
    async with WorkerProcess(own_broker, topic_prefix) as worker:
        async with Reader(own_broker.address, topic_prefix, N_PARTITIONS) as reader:
            await reader.read_until(lambda seen: len(seen.fused) > 20, LIMIT_S)
        pid = worker.pid
        await own_broker.stop()
        await asyncio.sleep(3.0)
        await own_broker.start()
        await send(own_broker.address, topic_prefix, samples[3_000:], N_PARTITIONS, sent=sent)
        async with Reader(own_broker.address, topic_prefix, N_PARTITIONS) as reader:
            outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), 60.0)
            assert outcomes.violations(sent) == []
        assert worker.running
        assert worker.pid == pid
