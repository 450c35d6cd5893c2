"""What becomes of a dead letter that is sent again once its cause is gone."""

from __future__ import annotations

from collections import Counter

from syncline.deadletter.filter import DeadLetterFilter
from syncline.deadletter.reader import DeadLetterReader
from syncline.deadletter.retry import make_plan, send_retries
from syncline.kafka.cluster import Cluster
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
N_STREAMS = 4
LIMIT_S = 300.0


async def retry_all(broker: TestBroker, prefix: str) -> int:
    """Send again what is too large, and return how many that were."""
    cluster = Cluster.of(broker.address)
    async with DeadLetterReader(cluster, prefix) as box:
        plan = await make_plan(box, DeadLetterFilter(reason="too_large"), again=False)
        return (await send_retries(box, plan)).n_sent


async def test_what_was_too_large_is_fused_when_the_limit_is_raised(broker: TestBroker, topic_prefix: str) -> None:
    """Though it is the newest of its lane, whose ids are remembered: a retry is no duplicate. The members say so."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    pictures = [s for s in moments(N_STREAMS, n_streams=N_STREAMS, n_bytes=200) if s.event.modality == "image"]
    sent = await send(broker.address, topic_prefix, pictures, N_PARTITIONS)
    async with Reader(broker.address, topic_prefix, N_PARTITIONS) as reader:
        async with WorkerProcess(broker, topic_prefix, max_event_bytes=100, max_wait_ms=200) as worker:
            await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
            assert (await worker.terminate())[0] == 0
        assert reader.outcomes.kinds() == {"deadletter too_large": N_STREAMS}
        assert await retry_all(broker, topic_prefix) == N_STREAMS
        assert await retry_all(broker, topic_prefix) == 0
        async with WorkerProcess(broker, topic_prefix, max_event_bytes=1_000, max_wait_ms=200):
            outcomes = await reader.read_until(lambda seen: len(seen.by_record) == 2 * N_STREAMS, LIMIT_S)
    assert outcomes.kinds() == {"deadletter too_large": N_STREAMS, "fused": N_STREAMS}
    members = [member for result in outcomes.fused.values() for member in result.members]
    assert Counter(member.retries for member in members) == {1: N_STREAMS}
    assert {member.event_id for member in members} == {sample.event.id for sample in pictures}
