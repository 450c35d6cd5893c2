"""Workers are added and taken away: each has work where there is some, and one that has none waits, and is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

LIMIT_S = 300.0


async def shares(workers: Sequence[WorkerProcess]) -> list[int]:
    """How many partition numbers each of them has, most first; those that are not ready or do not run are left out."""
    ready = [worker for worker in workers if (await worker.ask("/readyz"))[0] == 200]
    return sorted([int((await one.scrape()).value("assigned_partitions")) for one in ready], reverse=True)


async def until_shared(workers: Sequence[WorkerProcess], wanted: list[int]) -> None:
    """Wait until these workers, all ready, have these shares."""
    found: list[int] = []
    try:
        async with asyncio.timeout(LIMIT_S):
            while (found := await shares(workers)) != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    except TimeoutError:
        reasons = [await worker.reasons() for worker in workers]
        raise AssertionError(f"shares are {found}, not {wanted} after {LIMIT_S} s: {reasons}") from None


@pytest.mark.slow
async def test_each_worker_that_is_added_has_work(broker: TestBroker, topic_prefix: str) -> None:
    """Four partitions, one worker to five, one by one, and records through all of it: each has its one outcome."""
    n_partitions = 4
    await make_topics(broker.address, topic_prefix, n_partitions)
    samples, workers = moments(600, seed=5), list[WorkerProcess]()
    async with AsyncExitStack() as stack, Reader(broker.address, topic_prefix, n_partitions) as reader:
        sent = await send(broker.address, topic_prefix, samples[:100], n_partitions)
        for n_workers, wanted in enumerate([[4], [2, 2], [2, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1, 0]], start=1):
            workers.append(await stack.enter_async_context(WorkerProcess(broker, topic_prefix)))
            await until_shared(workers, wanted)
            more = samples[100 * n_workers : 100 * (n_workers + 1)]
            await send(broker.address, topic_prefix, more, n_partitions, sent=sent)
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert outcomes.violations(sent) == []


@pytest.mark.slow
async def test_a_worker_without_partitions_is_ready_and_takes_over_from_one_that_is_killed(
    broker: TestBroker, topic_prefix: str
) -> None:
    """Two partitions, three workers: it hears of its empty share, and later of one that is not."""
    n_partitions = 2
    await make_topics(broker.address, topic_prefix, n_partitions)
    samples = moments(400, seed=6)
    async with AsyncExitStack() as stack, Reader(broker.address, topic_prefix, n_partitions) as reader:
        workers = [await stack.enter_async_context(WorkerProcess(broker, topic_prefix)) for _ in range(3)]
        await until_shared(workers, [1, 1, 0])
        sent = await send(broker.address, topic_prefix, samples[:200], n_partitions)
        has_work = [worker for worker in workers if (await shares([worker])) == [1]]
        has_work[0].kill()
        left = [worker for worker in workers if worker is not has_work[0]]
        await send(broker.address, topic_prefix, samples[200:], n_partitions, sent=sent)
        await until_shared(left, [1, 1])
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert outcomes.violations(sent) == []
        for worker in left:
            assert (await worker.terminate())[0] == 0, worker.log()[-3000:]
