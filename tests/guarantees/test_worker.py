"""The interferences themselves: each does what it says, and the worker is the real one."""

from __future__ import annotations

import asyncio
import signal

import msgspec
import pytest

from syncline.wire.contract import DECISIONS, FUSED
from tests.support.brokers import TestBroker
from tests.support.interferences import (
    FAULTY,
    FaultyModelSettings,
    Interferences,
    Interruption,
    ModelFault,
    Outage,
)
from tests.support.judge import Outcomes, Reader
from tests.support.moments import Sample, moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
N_MOMENTS = 40
LIMIT_S = 300.0
MARKER = "mischief"


async def send_and_judge(
    broker: TestBroker, prefix: str, worker: WorkerProcess, samples: list[Sample], n_repeats: int = 0
) -> Outcomes:
    """What became of the samples, once each has an outcome and there are at least so many repeats."""
    sent = await send(broker.address, prefix, samples, N_PARTITIONS)
    async with Reader(broker.address, prefix, N_PARTITIONS) as reader:
        outcomes = await reader.read_until(
            lambda seen: not seen.undecided(sent) and seen.n_repeats >= n_repeats, LIMIT_S
        )
    assert outcomes.violations(sent) == [], worker.log()[-3000:]
    return outcomes


@pytest.mark.parametrize("point", ["proposed", "appended", "publishing", "published"])
async def test_a_worker_stops_itself_where_it_is_told_to_and_goes_on(
    broker: TestBroker, topic_prefix: str, point: str
) -> None:
    """It stands still at the point, says so, and after SIGCONT does what a worker does that never stood still."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    freeze = Interruption(point=point, switch="freeze")
    async with WorkerProcess(broker, topic_prefix, Interferences(interruptions=(freeze,))) as worker:
        worker.switch("freeze")
        judging = asyncio.create_task(send_and_judge(broker, topic_prefix, worker, moments(N_MOMENTS)))
        await worker.until_stopped()
        assert f"stop at the point '{point}'" in worker.log()
        worker.signal(signal.SIGCONT)
        await judging


async def test_a_worker_that_kills_itself_starts_anew(broker: TestBroker, topic_prefix: str) -> None:
    """Killed between publishing and acknowledging, it publishes the same again: same id, same members."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    kill = Interruption(point="published", action="kill")
    async with WorkerProcess(broker, topic_prefix, Interferences(interruptions=(kill,))) as worker:
        judging = asyncio.create_task(send_and_judge(broker, topic_prefix, worker, moments(N_MOMENTS), 1))
        assert (await worker.wait(LIMIT_S))[0] == -signal.SIGKILL
        worker.interferences = None
        worker.start()
        await judging


@pytest.mark.parametrize("outage", [Outage(topic=DECISIONS, switch="out"), Outage(topic=FUSED, answer_lost=True)])
async def test_sends_fail_while_an_outage_lasts(broker: TestBroker, topic_prefix: str, outage: Outage) -> None:
    """The worker says that its sends fail, and goes on once they succeed."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    outage = msgspec.structs.replace(outage, switch="out")
    async with WorkerProcess(broker, topic_prefix, Interferences(outages=(outage,))) as worker:
        worker.switch("out")
        judging = asyncio.create_task(send_and_judge(broker, topic_prefix, worker, moments(N_MOMENTS)))
        async with asyncio.timeout(LIMIT_S):
            while "fails, trying again" not in worker.log():  # noqa: ASYNC110 (a file has no event)
                await asyncio.sleep(0.02)
        worker.switch("out", on=False)
        await judging


@pytest.mark.parametrize("kind", ["throws", "nan", "wrong_count"])
async def test_the_faulty_model_fails_on_marked_sets_alone(broker: TestBroker, topic_prefix: str, kind: str) -> None:
    """The set with the marked record is a dead letter, all others are fused."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(N_MOMENTS)
    marked = samples[30]
    samples[30] = Sample(marked.moment, marked.event, MARKER.encode())
    faults = FaultyModelSettings(faults=(ModelFault(kind=kind, marker=MARKER),))
    async with WorkerProcess(broker, topic_prefix, Interferences(model=faults), model=FAULTY) as worker:
        outcomes = await send_and_judge(broker, topic_prefix, worker, samples)
    assert outcomes.kinds() == {"fused": 3 * (N_MOMENTS - 1), "deadletter model_failed": 3}


@pytest.mark.parametrize("kind", ["throws", "hangs"])
async def test_the_faulty_model_is_down_while_its_switch_is_on(
    broker: TestBroker, topic_prefix: str, kind: str
) -> None:
    """Nothing is fused and nothing lost; when the switch is off, everything is fused."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    faults = FaultyModelSettings(faults=(ModelFault(kind=kind, switch="down"),))
    async with WorkerProcess(broker, topic_prefix, Interferences(model=faults), model=FAULTY) as worker:
        await worker.until_ready()
        worker.switch("down")
        sent = await send(broker.address, topic_prefix, moments(N_MOMENTS), N_PARTITIONS)
        async with Reader(broker.address, topic_prefix, N_PARTITIONS) as reader:
            await reader.read_some(1_000)
            assert not reader.outcomes.fused
            worker.switch("down", on=False)
            outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
    assert outcomes.kinds() == {"fused": 3 * N_MOMENTS}
