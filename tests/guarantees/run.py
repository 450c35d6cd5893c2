"""One run: a workload, workers, faults; then everything is read back and judged."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager

from syncline.kafka.cluster import as_cluster
from syncline.kafka.topics import TopicPlan, admin_client, create_topics
from tests.guarantees.faults import BEHIND_PROXIES, Fault, is_gentle
from tests.guarantees.injector import inject_all
from tests.guarantees.judging import judge, n_repeats, result_of
from tests.guarantees.plan import Plan, convert_flag
from tests.guarantees.pool import Pool
from tests.guarantees.progress import Progress
from tests.guarantees.results import RunResult
from tests.guarantees.sampling import Sampler, sampler
from tests.guarantees.sends import Sender
from tests.guarantees.settling import Settled, settle
from tests.guarantees.stage import GROUP, Stage
from tests.guarantees.workload import workload
from tests.support.brokers import TestBroker
from verify import Report
from verify.check import BY_OTHERS


async def run_once(plan: Plan, broker: TestBroker, mutations: Sequence[str] = ()) -> RunResult:
    """Carry out one plan on a running broker, and judge it; the broker runs afterwards."""
    started_s = time.monotonic()
    async with (
        _topics(plan, broker) as prefix,
        Progress(broker.address, prefix, plan.n_partitions) as progress,
        sampler(broker.address, prefix, prefix + GROUP) as samples,
        _pool(plan, broker, prefix, mutations) as pool,
    ):
        media = workload(plan.seed, plan.n_records, plan.n_partitions, plan.n_streams)
        sender = Sender(broker.address, prefix, media, plan.per_s, gives_up=plan.gives_up)
        stage = Stage(plan, broker, prefix, pool, progress, sender)
        settled = await _live(stage, samples)
        history, report = await judge(stage, samples.samples)
        problems = [*settled.problems, *_against_the_rules(stage, report)]
        return result_of(stage, history, report, problems, settled, time.monotonic() - started_s)


@asynccontextmanager
async def _topics(plan: Plan, broker: TestBroker) -> AsyncGenerator[str]:
    """Topics for one run, and their prefix; an Apache Kafka forgets them afterwards."""
    prefix = f"g{uuid.uuid4().hex[:8]}."
    replication = 3 if plan.broker_kind == "apache3" else 1
    topics = TopicPlan(n_partitions=plan.n_partitions, prefix=prefix, replication=replication)
    await create_topics(broker.address, topics)
    yield prefix
    if broker.kind == "apache":
        async with admin_client(as_cluster(broker.address)) as admin:
            await admin.delete_topics(list(topics.names()))


def _pool(plan: Plan, broker: TestBroker, prefix: str, mutations: Sequence[str]) -> Pool:
    behind_proxies = any(fault.kind in BEHIND_PROXIES for fault in plan.faults)
    convert = convert_flag(plan.convert)
    return Pool(broker, prefix, plan.join, mutations, behind_proxies=behind_proxies, convert=convert)


async def _live(stage: Stage, samples: Sampler) -> Settled:
    """From the first send to the last worker's end."""
    for _ in range(stage.plan.n_workers):
        await stage.pool.add()
    sampling = asyncio.create_task(samples.run())
    try:
        async with asyncio.TaskGroup() as together:
            together.create_task(stage.sender.run())
            together.create_task(inject_all(stage))
        settled = await settle(stage, samples)
        await stage.pool.stop()
    finally:
        sampling.cancel()
        await asyncio.wait([sampling])
    await samples.take()
    return settled


def _against_the_rules(stage: Stage, report: Report) -> Iterator[str]:
    """What the topics alone do not show."""
    yield from stage.pool.complaints
    n_twice = n_repeats(report)
    if n_twice and is_gentle(stage.plan.faults):
        yield f"{n_twice} results were published twice, though every worker that left had drained"
    yield from unjudged(report, stage.plan.faults)


def unjudged(report: Report, faults: Sequence[Fault]) -> Iterator[str]:
    """What is wrong where decisions were not made anew: it takes workers with other settings."""
    n_unjudged = report.counts.get("decisions", {}).get(BY_OTHERS, 0)
    if n_unjudged and all(fault.kind != "settings" for fault in faults):
        yield f"{n_unjudged} decisions were not made anew, for claims name other settings, though nobody changed any"
