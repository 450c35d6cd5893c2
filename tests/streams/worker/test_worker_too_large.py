"""A worker whose results are more than their topic takes, on a real Apache Kafka, judged by the checker."""

from __future__ import annotations

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.join.settings import JoinSettings
from syncline.wire.contract import FUSED
from tests.support.broker_admin import admin_of
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess
from verify import check, read_history

N_PARTITIONS = 1
LIMIT_BYTES = 3_000
"""Enough for some members, not for hundreds."""
SIZE_MS = 60_000
LIMIT_S = 300.0


@pytest.mark.apache
async def test_a_set_whose_result_no_topic_takes_fails_and_holds_up_nobody(
    broker: TestBroker, topic_prefix: str
) -> None:
    """Its members are dead letters, the other streams' sets are fused, and a restart changes nothing."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with admin_of(broker) as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic_prefix + FUSED)
        resource.configs = {"max.message.bytes": str(LIMIT_BYTES)}
        await admin.alter_configs([resource])
    fat = moments(200, n_streams=1)
    thin = [one for one in moments(12, n_streams=4, first=1) if one.event.stream != "stream-0"]
    last = moments(4, n_streams=4, first=4 * 2_000)  # closes every window
    sent = await send(broker.address, topic_prefix, [*fat, *thin, *last], N_PARTITIONS)
    settings = {"strategy": "tumbling", "size_ms": SIZE_MS, "max_wait_ms": 500}
    async with (
        WorkerProcess(broker, topic_prefix, **settings) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert (await worker.terminate())[0] == 0
        worker.start()
        await worker.until_ready()
        assert (await worker.terminate())[0] == 0
        outcomes = await reader.read_rest()
    kinds = outcomes.kinds()
    assert kinds["deadletter too_large"] == len(fat)
    assert kinds["fused"] == len(thin) + len(last)
    join = JoinSettings(strategy="tumbling", size_ms=SIZE_MS, max_wait_ms=500)
    history = await read_history(broker.address, topic_prefix=topic_prefix, group=topic_prefix + "workers")
    assert check(history, join, finished=True).violations == []
