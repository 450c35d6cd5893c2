"""SIGTERM in each phase of a worker's life: it is gone in time, with the right exit code, and says what is left."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

from tests.support.brokers import TestBroker
from tests.support.interferences import FAULTY, FaultyModelSettings, Interferences, Interruption, ModelFault
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
LIMIT_S = 300.0
STOP_LIMIT_MS = 3_000
"""Where something hangs, so that the tests need not wait for the default."""
SLACK_S = 4.0
"""For the interpreter's end, beside other tests."""


async def until(is_so: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Wait for something that has no event, such as a line in a file."""
    async with asyncio.timeout(limit_s):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def catch_amid_rebalance(worker: WorkerProcess, newcomer: WorkerProcess) -> None:
    """Have the newcomer join until the worker is seen between two assignments; beside other load one may miss it."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            newcomer.start()
            while (await newcomer.ask("/readyz"))[0] != 200:
                if "waiting for an assignment" in " ".join(await worker.reasons()):
                    return
                await asyncio.sleep(0.02)
            assert (await newcomer.terminate())[0] == 0, newcomer.log()[-3000:]


async def ends(worker: WorkerProcess, code: int, limit_s: float, number: int = signal.SIGTERM) -> None:
    """It ends with this code within this time."""
    began_s = time.monotonic()
    worker.signal(number)
    assert ((await worker.wait())[0], worker.log()[-3000:]) == (code, worker.log()[-3000:])
    assert time.monotonic() - began_s < limit_s + SLACK_S, worker.log()[-3000:]


@pytest.mark.timing
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_worker_goes_at_once(broker: TestBroker, topic_prefix: str, number: int) -> None:
    """Nothing is left, and both signals mean the same."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with WorkerProcess(broker, topic_prefix) as worker:
        await worker.until_ready()
        await ends(worker, 0, 2.0, number)


@pytest.mark.timing
async def test_before_the_topics_exist(broker: TestBroker, topic_prefix: str) -> None:
    """It waits for them, and for nothing when it is told to stop."""
    async with WorkerProcess(broker, topic_prefix) as worker:
        await until(lambda: "waiting: " in worker.log())
        await ends(worker, 0, 2.0)


@pytest.mark.timing
async def test_while_the_model_is_loaded(broker: TestBroker, topic_prefix: str) -> None:
    """The model's thread is left to itself, however long it takes."""
    hangs = FaultyModelSettings(faults=(ModelFault(kind="hangs"),))
    async with WorkerProcess(broker, topic_prefix, Interferences(model=hangs), model=FAULTY) as worker:
        await worker.until_reason("loading model")
        await ends(worker, 0, 2.0)


@pytest.mark.timing
async def test_while_it_joins_the_group(broker: TestBroker, topic_prefix: str) -> None:
    """Its first assignment is not waited for."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with WorkerProcess(broker, topic_prefix) as worker:
        await worker.until_reason("waiting for an assignment")
        await ends(worker, 0, 10.0)


@pytest.mark.timing
async def test_while_it_recovers(broker: TestBroker, topic_prefix: str) -> None:
    """It has decided nothing yet."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    stops = Interferences(interruptions=(Interruption(point="recovering"),))
    async with WorkerProcess(broker, topic_prefix, stops) as worker:
        await worker.until_stopped()
        worker.signal(signal.SIGTERM)
        await ends(worker, 0, 3.0, signal.SIGCONT)


@pytest.mark.timing
async def test_while_a_backlog_is_replayed(broker: TestBroker, topic_prefix: str) -> None:
    """After a kill sets wait for members that are to be read again: they are left to the next, who repeats nothing."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    sent = await send(broker.address, topic_prefix, moments(4_000, missing=0.1, n_bytes=500), N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await reader.read_until(lambda seen: len(seen.fused) > 500, LIMIT_S)
        worker.kill()
        await reader.read_rest()
        by_the_killed = reader.outcomes.n_times.copy()
        worker.start()
        await reader.read_until(lambda seen: len(seen.fused) > len(by_the_killed), LIMIT_S)
        await ends(worker, 0, 4.0)
        await reader.read_rest()
        by_the_stopped = reader.outcomes.n_times - by_the_killed
        worker.start()
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        by_the_last = outcomes.n_times - by_the_killed - by_the_stopped
        assert len(by_the_stopped) > 0
        assert by_the_last.keys() & by_the_stopped.keys() == set()
        assert outcomes.violations(sent) == []


@pytest.mark.timing
@pytest.mark.parametrize("kind", ["throws", "hangs"])
async def test_while_the_model_is_down_or_hangs(broker: TestBroker, topic_prefix: str, kind: str) -> None:
    """What is decided cannot be fused: exit 1 in time; whoever comes next fuses it, and nothing comes twice."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    down = FaultyModelSettings(faults=(ModelFault(kind=kind, switch="down"),))
    settings = {"model": FAULTY, "stop_limit_ms": STOP_LIMIT_MS, "batch_max_items": 4}
    async with (
        WorkerProcess(broker, topic_prefix, Interferences(model=down), **settings) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await worker.until_ready()
        samples = moments(400, missing=0.1)
        sent = await send(broker.address, topic_prefix, samples[:300], N_PARTITIONS)
        await reader.read_until(lambda seen: len(seen.fused) > 20, LIMIT_S)
        worker.switch("down")
        await send(broker.address, topic_prefix, samples[300:], N_PARTITIONS, sent=sent)
        await reader.read_rest()
        await ends(worker, 1, STOP_LIMIT_MS / 1_000)
        assert "decisions were not carried out" in worker.log()
        assert "some results may come twice" not in worker.log()
        worker.switch("down", on=False)
        worker.start()
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert outcomes.n_repeats == 0
        assert outcomes.violations(sent) == []


@pytest.mark.timing
async def test_while_a_decode_thread_is_stuck(broker: TestBroker, topic_prefix: str) -> None:
    """What is being decoded is read again by the next: nothing is left undone."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    stuck = FaultyModelSettings(faults=(ModelFault(kind="holds_decoding", switch="stuck"),))
    settings = {"model": FAULTY, "stop_limit_ms": STOP_LIMIT_MS}
    async with (
        WorkerProcess(broker, topic_prefix, Interferences(model=stuck), **settings) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await worker.until_ready()
        worker.switch("stuck")
        sent = await send(broker.address, topic_prefix, moments(100), N_PARTITIONS)
        await reader.read_some(500)
        await ends(worker, 0, STOP_LIMIT_MS / 1_000)
        worker.switch("stuck", on=False)
        worker.start()
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert outcomes.violations(sent) == []


async def test_when_it_comes_back_after_its_session(broker: TestBroker, topic_prefix: str) -> None:
    """Another has its partitions, and finds in the log what is left: nothing is expected of the one that was away."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix) as first,
        WorkerProcess(broker, topic_prefix) as second,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        second.kill()
        await first.until_ready()
        sent = await send(broker.address, topic_prefix, moments(2_000, missing=0.1, n_bytes=500), N_PARTITIONS)
        await reader.read_until(lambda seen: len(seen.fused) > 100, LIMIT_S)
        first.signal(signal.SIGSTOP)
        await first.until_stopped()
        second.start()
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        first.signal(signal.SIGTERM)
        first.signal(signal.SIGCONT)
        assert (await first.wait())[0] == 0, first.log()[-3000:]
        await reader.read_rest()
        assert reader.outcomes.violations(sent) == []


@pytest.mark.slow
async def test_nothing_comes_twice_however_often_one_of_two_is_stopped(broker: TestBroker, topic_prefix: str) -> None:
    """Under load, with sets that wait for what is missing: each result once, over all handovers."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(6_000, missing=0.1, seed=7)
    async with (
        WorkerProcess(broker, topic_prefix) as first,
        WorkerProcess(broker, topic_prefix) as second,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await first.until_ready()
        await second.until_ready()
        sent = await send(broker.address, topic_prefix, samples[:2_000], N_PARTITIONS)
        rest = send(broker.address, topic_prefix, samples[2_000:], N_PARTITIONS, per_s=500, sent=sent)
        sending = asyncio.create_task(rest)
        for victim in (first, second, first, second):
            await victim.until_ready()
            n_now = len(reader.outcomes.fused)
            await reader.read_until(lambda seen, n=n_now: len(seen.fused) > n + 100, LIMIT_S)
            assert (await victim.terminate())[0] == 0, victim.log()[-3000:]
            victim.start()
        await sending
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        await reader.read_rest()
        assert outcomes.n_repeats == 0, first.log()[-3000:] + second.log()[-3000:]
        assert outcomes.violations(sent) == []


@pytest.mark.slow
async def test_while_a_rebalance_is_under_way(broker: TestBroker, topic_prefix: str) -> None:
    """A worker that has just given its partitions away is told to stop before it gets new ones; so is the newcomer."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(3_000, missing=0.1, seed=8)
    async with (
        WorkerProcess(broker, topic_prefix) as first,
        WorkerProcess(broker, topic_prefix) as second,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        second.kill()
        sent = await send(broker.address, topic_prefix, samples[:3_000], N_PARTITIONS)
        await reader.read_until(lambda seen: len(seen.fused) > 20, LIMIT_S)
        sending = asyncio.create_task(
            send(broker.address, topic_prefix, samples[3_000:], N_PARTITIONS, per_s=500, sent=sent)
        )
        for leaves, stays in ((first, second), (second, first)):
            await catch_amid_rebalance(leaves, stays)
            assert (await leaves.terminate())[0] == 0, leaves.log()[-3000:]
        await sending
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        await reader.read_rest()
        assert outcomes.n_repeats == 0, first.log()[-3000:] + second.log()[-3000:]
        assert outcomes.violations(sent) == []
