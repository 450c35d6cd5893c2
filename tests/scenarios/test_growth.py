"""Topics get more partitions: as `syncline topics grow` does it, and by other hands while data flow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import NewPartitions

from streams.join.settings import JoinSettings
from syncline.wire.contract import ALL_TOPICS
from tests.support.broker_admin import admin_of
from tests.support.brokers import TestBroker
from tests.support.command_line import Ran, run_command_beside
from tests.support.judge import Outcomes, Reader
from tests.support.moments import Sent, moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess
from verify import check, read_history

BEFORE, AFTER = 2, 5
LIMIT_S = 300.0
PATIENT = {"max_wait_ms": 10_000}
"""A sender that stands still for a while on a busy machine is no silent lane here."""


@asynccontextmanager
async def supervised(*workers: WorkerProcess) -> AsyncIterator[list[int]]:
    """Start workers anew when they end, as docker compose does; with what codes they ended."""
    codes: list[int] = []

    async def look_after(worker: WorkerProcess) -> None:
        while True:
            while worker.running:  # noqa: ASYNC110 (a process has no event)
                await asyncio.sleep(0.05)
            codes.append((await worker.wait())[0])
            worker.start()

    looking = [asyncio.create_task(look_after(worker)) for worker in workers]
    try:
        yield codes
    finally:
        for task in looking:
            task.cancel()
        await asyncio.wait(looking)


def grow(broker: TestBroker, prefix: str, *flags: str) -> asyncio.Task[Ran]:
    """Run `syncline topics grow`."""
    where = ["--brokers", broker.address, "--topic-prefix", prefix, "--group", prefix + "workers"]
    return asyncio.create_task(run_command_beside("topics", "grow", "--partitions", str(AFTER), *where, *flags))


async def violations(broker: TestBroker, prefix: str, seen: Outcomes, sent: Sent) -> list[str]:
    """What the topics alone say that is wrong, and what the checker finds in the log."""
    history = await read_history(broker.address, topic_prefix=prefix, group=prefix + "workers")
    report = check(history, JoinSettings(max_wait_ms=PATIENT["max_wait_ms"]), finished=True)
    ends = [f"{key} ended {sorted(ends)}" for key, ends in seen.by_record.items() if len(ends) != 1]
    none = [f"{key} has no outcome" for key in sent.records.keys() - seen.by_record.keys()]
    return [*map(str, report.violations), *ends, *none]


@pytest.mark.slow
@pytest.mark.apache
async def test_topics_grow_under_running_workers(broker: TestBroker, topic_prefix: str) -> None:
    """The workers end, are started anew and go on; no record is misrouted, and no moment is torn."""
    await make_topics(broker.address, topic_prefix, BEFORE)
    samples = moments(400)
    async with (
        WorkerProcess(broker, topic_prefix, **PATIENT) as first,
        WorkerProcess(broker, topic_prefix, **PATIENT) as second,
        Reader(broker.address, topic_prefix, AFTER) as reader,
        supervised(first, second) as codes,
    ):
        sent = await send(broker.address, topic_prefix, samples[:600], BEFORE)
        ran = await grow(broker, topic_prefix, "--json")
        assert ran.code == 0, ran.err
        assert json.loads(ran.out) == {
            "before": BEFORE, "partitions": AFTER, "workers_ended": 2,
            "grown": [topic_prefix + topic for topic in reversed(ALL_TOPICS)],
        }  # fmt: skip
        assert ran.err.startswith("producers must be stopped now")
        await send(broker.address, topic_prefix, samples[600:], AFTER, sent=sent)
        seen = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert {partition for _, partition, _ in sent.records} == set(range(AFTER))
        assert seen.kinds() == {"fused": len(sent.records)}, first.log()[-2000:]
        assert seen.n_torn(sent) == 0
        assert codes == [1, 1]
        assert await violations(broker, topic_prefix, await reader.read_rest(), sent) == []


@pytest.mark.slow
@pytest.mark.apache
async def test_topics_that_others_have_grown_while_data_flow(broker: TestBroker, topic_prefix: str) -> None:
    """Topic by topic. The worker halts, and goes on by itself once all are equal; every record has one outcome.

    What was placed by the old number until then is not misrouted, nor is what is placed by the new one from then on,
    whether the worker has begun anew or not.
    """
    await make_topics(broker.address, topic_prefix, BEFORE)
    samples = moments(500)
    async with (
        WorkerProcess(broker, topic_prefix, **PATIENT) as worker,
        Reader(broker.address, topic_prefix, AFTER) as reader,
        supervised(worker) as codes,
    ):
        sent = Sent()
        old = asyncio.create_task(send(broker.address, topic_prefix, samples[:900], BEFORE, per_s=200, sent=sent))
        await reader.read_until(lambda seen: len(seen.by_record) > 100, LIMIT_S)
        async with admin_of(broker) as admin:
            await admin.create_partitions({topic_prefix + "media.text": NewPartitions(AFTER)})
            await worker.until_reason("all topics must have the same number of partitions")
            assert (await worker.ask("/livez"))[0] == 200
            await old
            assert codes == []
            others = [topic for topic in ALL_TOPICS if topic != "media.text"]
            await admin.create_partitions({topic_prefix + topic: NewPartitions(AFTER) for topic in others})
        await send(broker.address, topic_prefix, samples[900:], AFTER, sent=sent)
        seen = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert codes == [1]
        assert seen.kinds() == {"fused": len(sent.records)}, worker.log()[-2000:]
        assert await violations(broker, topic_prefix, await reader.read_rest(), sent) == []
        await worker.until_ready()


@pytest.mark.slow
@pytest.mark.apache
async def test_a_producer_that_knows_of_new_partitions_before_the_worker_is_not_misrouted(
    broker: TestBroker, topic_prefix: str
) -> None:
    """What seems to lie in the wrong place makes the worker count again, before it judges that."""
    await make_topics(broker.address, topic_prefix, BEFORE)
    samples = moments(300)
    async with (
        WorkerProcess(broker, topic_prefix, **PATIENT) as worker,
        Reader(broker.address, topic_prefix, AFTER) as reader,
        supervised(worker) as codes,
    ):
        sent = await send(broker.address, topic_prefix, samples[:300], BEFORE)
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        async with admin_of(broker) as admin:
            await admin.create_partitions({topic_prefix + topic: NewPartitions(AFTER) for topic in ALL_TOPICS})
        await send(broker.address, topic_prefix, samples[300:], AFTER, sent=sent)
        seen = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert codes == [1]
        assert seen.kinds() == {"fused": len(sent.records)}, worker.log()[-2000:]
        assert await violations(broker, topic_prefix, await reader.read_rest(), sent) == []
