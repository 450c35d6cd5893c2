"""One run: a workload, workers, faults; then everything is read back and judged."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

from syncline.cluster import as_cluster
from syncline.topics import TopicPlan, admin_client, create_topics
from tests.guarantees.faults import is_gentle
from tests.guarantees.injector import inject_all
from tests.guarantees.judging import judge, n_repeats, result_of
from tests.guarantees.plan import Plan, convert_flag
from tests.guarantees.pool import Pool
from tests.guarantees.progress import Progress
from tests.guarantees.results import RunResult
from tests.guarantees.sampling import EVERY_S, Sampler, sampler
from tests.guarantees.sends import Sender
from tests.guarantees.stage import GROUP, Stage
from tests.guarantees.workload import workload
from tests.support.brokers import TestBroker

SETTLE_LIMIT_S = 120.0
QUIET_S = 1.5
"""Beyond `max_wait_ms`: then nothing more will be said of what was sent."""


async def run_once(plan: Plan, broker: TestBroker, mutations: Sequence[str] = ()) -> RunResult:
    """Carry out one plan on a running broker, and judge it; the broker runs afterwards."""
    started_s = time.monotonic()
    async with (
        _topics(plan, broker) as prefix,
        Progress(broker.address, prefix, plan.n_partitions) as progress,
        sampler(broker.address, prefix, prefix + GROUP) as samples,
        Pool(broker, prefix, plan.join, mutations, convert=convert_flag(plan.convert)) as pool,
    ):
        media = workload(plan.seed, plan.n_records, plan.n_partitions, plan.n_streams)
        sender = Sender(broker.address, prefix, media, plan.per_s, gives_up=plan.gives_up)
        stage = Stage(plan, broker, prefix, pool, progress, sender)
        problems = await _live(stage, samples)
        history, report = await judge(stage, samples.samples)
        problems += _against_the_rules(stage, n_repeats(report))
        return result_of(stage, history, report, problems, time.monotonic() - started_s)


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


async def _live(stage: Stage, samples: Sampler) -> list[str]:
    """From the first send to the last worker's end; what was noticed on the way."""
    for _ in range(stage.plan.n_workers):
        await stage.pool.add()
    sampling = asyncio.create_task(samples.run())
    try:
        async with asyncio.TaskGroup() as together:
            together.create_task(stage.sender.run())
            together.create_task(inject_all(stage))
        problems = await _settle(stage, samples)
        await stage.pool.stop()
    finally:
        sampling.cancel()
        await asyncio.wait([sampling])
    await samples.take()
    return problems


async def _settle(stage: Stage, samples: Sampler) -> list[str]:
    """Wait until nothing more can be said, conversions included; what is missing after too long."""
    sent = {(send.topic, send.partition, send.offset) for send in stage.sender.log if send.outcome == "ok"}
    outcomes = stage.progress.outcomes.by_record
    if not await stage.progress.until(lambda: sent <= outcomes.keys(), SETTLE_LIMIT_S):
        n_left = len(sent - outcomes.keys())
        answers = [await worker.ask("/readyz") for worker in stage.pool.workers.values()]
        return [f"{n_left} records have no outcome after {SETTLE_LIMIT_S:.0f} s of peace; workers say {answers}"]
    await stage.progress.until_quiet(QUIET_S + stage.plan.join.max_wait_ms / 1_000)
    if stage.plan.convert and not await _all_committed(samples, sent):
        return [f"not all is committed after {SETTLE_LIMIT_S:.0f} s of peace, though all has its outcome"]
    return []


async def _all_committed(samples: Sampler, sent: Iterable[tuple[str, int, int]]) -> bool:
    """Wait until all that was sent is committed: then its conversions are out, too."""
    ends: dict[tuple[str, int], int] = {}
    for topic, partition, offset in sent:
        ends[topic, partition] = max(offset + 1, ends.get((topic, partition), 0))
    deadline_s = time.monotonic() + SETTLE_LIMIT_S
    while time.monotonic() < deadline_s:
        committed = samples.samples[-1].committed if samples.samples else {}
        if all(committed.get(place, 0) >= end for place, end in ends.items()):
            return True
        await asyncio.sleep(EVERY_S)
    return False


def _against_the_rules(stage: Stage, n_repeats: int) -> Iterator[str]:
    """What the topics alone do not show."""
    yield from stage.pool.complaints
    if n_repeats and is_gentle(stage.plan.faults):
        yield f"{n_repeats} results were published twice, though every worker that left had drained"
