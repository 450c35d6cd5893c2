"""Workers come and go, one way and another, while a backlog is read."""

from __future__ import annotations

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 4
N_MOMENTS = {"tansu": 3_000, "apache": 20_000}
LIMIT_S = 300.0


@pytest.mark.timing
@pytest.mark.slow
async def test_rebalances_while_a_backlog_is_read_tear_nothing(
    broker_kind: str, broker: TestBroker, topic_prefix: str
) -> None:
    """Two workers more, one told to stop, one killed and started again, each amid the backlog."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(N_MOMENTS[broker_kind], missing=0.05, seed=11)
    sent = await send(broker.address, topic_prefix, samples, N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix) as first,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):

        async def until(share: float) -> None:
            await reader.read_until(lambda seen: len(seen.by_record) >= share * len(samples), LIMIT_S)

        await until(0.1)
        async with WorkerProcess(broker, topic_prefix) as second:
            await until(0.3)
            async with WorkerProcess(broker, topic_prefix) as third:
                await until(0.45)
                assert (await first.terminate())[0] == 0
                await until(0.6)
                second.kill()
                second.start()
                await until(0.8)
                first.start()
                await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
                outcomes = await reader.read_rest()
                logs = "".join(worker.log()[-2_000:] for worker in (first, second, third))
    assert outcomes.violations(sent) == [], logs
    assert outcomes.n_torn(sent) == 0, outcomes.kinds()
