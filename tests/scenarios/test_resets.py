"""Connections are reset, hundreds of times, between a worker and its broker, and between a consumer and its broker."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from random import Random

import pytest

from syncline.consumer import ResultConsumer
from syncline.wire.contract import FUSED
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import Sent, moments, send
from tests.support.proxy import Proxy
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_RESETS = int(os.environ.get("SYNCLINE_RESETS", "200"))
"""Connections that are reset in all; 1,000 take a minute or two."""
N_PARTITIONS = 2
EVERY_S = 0.25
BURST = 60
"""Moments that are sent after each reset: whatever it hit, has work to do."""
WELL_LIMIT_S = 80.0
"""After the last reset all is decided; a watchdog that had to end the worker takes 90 s."""


@pytest.mark.slow
async def test_resets_cost_no_record_and_no_silence(broker: TestBroker, topic_prefix: str) -> None:
    """What was reset is made anew: the worker goes on in its own process, each record has one outcome.

    A consumer behind the same proxy reads each result once.
    """
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    got: Counter[str] = Counter()
    async with (
        Proxy(broker.address) as proxy,
        WorkerProcess(broker, topic_prefix, brokers=proxy.address) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
        ResultConsumer(proxy.address, (FUSED,), topic_prefix=topic_prefix) as results,
    ):
        await worker.until_ready()
        pid = worker.pid

        async def consume() -> None:
            async for received in results:
                got[received.result.id] += 1

        consuming = asyncio.create_task(consume())
        sent = await _reset_while_it_works(broker, topic_prefix, proxy)
        await reader.read_until(lambda seen: not seen.undecided(sent), WELL_LIMIT_S)
        outcomes = await reader.read_rest()
        assert outcomes.violations(sent) == []
        assert worker.pid == pid, worker.log()[-3000:]
        assert worker.running, worker.log()[-3000:]
        async with asyncio.timeout(WELL_LIMIT_S):
            while len(got) < len(outcomes.fused):  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.05)
        assert not consuming.done()
        consuming.cancel()
        assert set(got) == set(outcomes.fused)
        assert set(got.values()) == {1}


async def _reset_while_it_works(broker: TestBroker, prefix: str, proxy: Proxy) -> Sent:
    """Reset one connection at a time, and send a burst of moments after each."""
    random, sent, first = Random(7), Sent(), 0
    while proxy.n_resets < N_RESETS:
        proxy.reset(random.choice((1, 1, 2, 5)), random)
        await send(broker.address, prefix, moments(BURST, first=first), N_PARTITIONS, sent=sent)
        first += BURST
        await asyncio.sleep(random.random() * EVERY_S)
    return sent
