"""A real worker's /livez: it fails when a part of the worker fails, and never for what a restart would not mend."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import pytest

from syncline.wire.contract import DECISIONS, FUSED
from tests.support.brokers import TestBroker
from tests.support.interferences import (
    FAULTY,
    Ailment,
    FaultyModelSettings,
    Interferences,
    ModelFault,
    Outage,
)
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timing]  # a stall of STALL_MS is a failure, whoever causes it

N_PARTITIONS = 2
STALL_MS = 1_500
"""A minute by default: what must not fail within it is watched for several times as long."""
WATCH_S = 3 * STALL_MS / 1_000
AWAY_STALL_MS = 8_000
"""Longer than it takes to notice that a broker is away."""
LIMIT_S = 300.0
SWITCH = "ill"


def ill_with(part: Any) -> Interferences:
    """One part fails from when the switch is turned on."""
    return Interferences(ailments=(Ailment(part=part, switch=SWITCH),))


HANGS = Interferences(model=FaultyModelSettings(faults=(ModelFault(kind="hangs", switch=SWITCH),)))
FAILING: dict[str, tuple[Interferences, str]] = {
    "batcher": (ill_with("batcher"), "the batcher has sent it none"),
    "model thread": (ill_with("model_thread"), "the model's thread has ended"),
    "forward": (HANGS, "a batch has been running"),
    "decode threads": (ill_with("decode"), "a decode thread has been at one record"),
    "fetcher": (ill_with("fetcher"), "there are records, and nothing has been read"),
    "tail": (ill_with("tail"), "decisions, partition"),
    "tail's task": (ill_with("tail_task"), "the reader of the decision log has ended"),
    "consumer's thread": (ill_with("consumer_thread"), "the consumer's thread has stood still"),
}


async def test_a_part_that_fails_makes_it_fail(broker: TestBroker, topic_prefix: str) -> None:
    """Live at work before; then 503 with the part's name, within a few times the limit. A worker for each part."""

    async def fails(number: int, part: str) -> None:
        interferences, why = FAILING[part]
        prefix = f"{topic_prefix}{number}."
        await make_topics(broker.address, prefix, N_PARTITIONS)
        async with worker_of(broker, prefix, interferences) as worker:
            await at_work(worker, broker, prefix)
            assert (await worker.ask("/livez"))[0] == 200, part
            worker.switch(SWITCH)
            await send(broker.address, prefix, moments(400, first=400), N_PARTITIONS)
            assert why in await until_not_live(worker, part), part
            assert worker.running, part

    await asyncio.gather(*(fails(number, part) for number, part in enumerate(FAILING)))


async def test_a_recovery_that_ended_without_a_result_makes_it_fail(broker: TestBroker, topic_prefix: str) -> None:
    """Its partition would stand still, with a worker that looks as if it still recovered."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with worker_of(broker, topic_prefix, ill_with("recovery")) as worker:
        worker.switch(SWITCH)
        assert "its driver has ended" in await until_not_live(worker, "recovery")


async def test_while_the_event_loop_stands_still_nobody_answers(broker: TestBroker, topic_prefix: str) -> None:
    """Which a probe takes for a failure; when it runs again it is live, and the stall is in the metrics."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with worker_of(broker, topic_prefix, ill_with("loop")) as worker:
        await at_work(worker, broker, topic_prefix)
        worker.switch(SWITCH)
        async with asyncio.timeout(LIMIT_S):
            while (await worker.ask("/livez"))[0] == 200:  # noqa: ASYNC110 (it stops at some moment)
                await asyncio.sleep(0.05)
        worker.switch(SWITCH, on=False)
        await worker.until_ready()
        assert (await worker.ask("/livez"))[0] == 200
        scraped = await worker.scrape()
        late = scraped.value("loop_stall_seconds_count") - scraped.value("loop_stall_seconds_bucket", le="2.0")
        assert late >= 1


async def test_a_part_that_ends_by_a_bug_ends_the_worker(broker: TestBroker, topic_prefix: str) -> None:
    """At once and with code 1: there is nothing to wait for."""

    async def ends(part: str) -> None:
        prefix = f"{topic_prefix}{part}."
        await make_topics(broker.address, prefix, N_PARTITIONS)
        async with worker_of(broker, prefix, ill_with(part)) as worker:
            await at_work(worker, broker, prefix)
            worker.switch(SWITCH)
            await send(broker.address, prefix, moments(400, first=400), N_PARTITIONS)
            assert (await worker.wait(LIMIT_S))[0] == 1, part
            assert "this worker ends" in worker.log(), part

    await asyncio.gather(*(ends(part) for part in ("decode_pool", "sender", "tick")))


@pytest.mark.parametrize(("part", "shown"), [("loop", "in _sleep"), ("forward", "in _suffer")])
async def test_a_worker_that_is_not_live_ends_by_itself(
    broker: TestBroker, topic_prefix: str, part: str, shown: str
) -> None:
    """After `not_live_exit_ms`, with code 1 and with what its threads were at; its partitions go to others."""
    interferences = HANGS if part == "forward" else ill_with(part)
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with worker_of(broker, topic_prefix, interferences, not_live_exit_ms=1_000) as worker:
        await at_work(worker, broker, topic_prefix)
        worker.switch(SWITCH)
        sent = await send(broker.address, topic_prefix, moments(400, first=400), N_PARTITIONS)
        assert (await worker.wait(LIMIT_S))[0] == 1
        assert "this worker is not live" in worker.log()
        assert shown in worker.log()
        worker.interferences = Interferences()
        worker.start()
        async with Reader(broker.address, topic_prefix, N_PARTITIONS) as reader:
            await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)


async def test_what_a_restart_would_not_mend_leaves_it_live(broker: TestBroker, topic_prefix: str) -> None:
    """Nothing to do, sends that are refused, a model that is down, a freeze, a rebalance, a recovery that waits."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    refused = tuple(Outage(topic=topic, switch=f"no {topic}") for topic in (FUSED, DECISIONS))
    model = FaultyModelSettings(faults=(ModelFault(kind="throws", switch="throws"),))
    first = 400
    async with worker_of(broker, topic_prefix, Interferences(outages=refused, model=model)) as worker:
        await at_work(worker, broker, topic_prefix)
        await stays_live(worker)
        for trouble in (f"no {FUSED}", f"no {DECISIONS}", "throws"):
            worker.switch(trouble)
            sent = await send(broker.address, topic_prefix, moments(1_500, first=first), N_PARTITIONS)
            first += 1_500
            await stays_live(worker)
            worker.switch(trouble, on=False)
            async with Reader(broker.address, topic_prefix, N_PARTITIONS) as reader:
                await reader.read_until(lambda seen, sent=sent: not seen.undecided(sent), LIMIT_S)
        worker.signal(signal.SIGSTOP)
        await send(broker.address, topic_prefix, moments(400, first=first), N_PARTITIONS)
        await asyncio.sleep(2 * STALL_MS / 1_000)
        worker.signal(signal.SIGCONT)
        await stays_live(worker)
        worker.switch(f"no {DECISIONS}")
        async with WorkerProcess(broker, topic_prefix):
            await worker.until_reason("claiming the decision log", LIMIT_S)
            await stays_live(worker)
        await stays_live(worker)


async def test_a_broker_that_is_away_leaves_it_live(own_broker: TestBroker, topic_prefix: str) -> None:
    """With a lag that it knew of: it is not ready, and says why; the lag is not known, and no old number is shown."""
    await make_topics(own_broker.address, topic_prefix, N_PARTITIONS)
    async with worker_of(own_broker, topic_prefix, ill_with("fetcher"), max_stall_ms=AWAY_STALL_MS) as worker:
        await at_work(worker, own_broker, topic_prefix)
        worker.switch(SWITCH)  # nothing is read: as if the broker had gone just before
        await send(own_broker.address, topic_prefix, moments(100, first=400), N_PARTITIONS)
        async with asyncio.timeout(LIMIT_S):
            while not (await worker.scrape()).sum("consumer_lag"):  # noqa: ASYNC110 (a number has no event)
                await asyncio.sleep(0.05)
        await own_broker.stop()
        await stays_live(worker, AWAY_STALL_MS / 1_000 + 5)
        status, answer = await worker.ask("/readyz")
        assert (status, answer["lag"]) == (503, None)
        assert "the lag is not known" in " ".join(answer["reasons"])
        scraped = await worker.scrape()
        assert list(scraped.samples("consumer_lag")) == []
        assert scraped.value("high_watermark_age_seconds") > 5
        await own_broker.start()


def worker_of(broker: TestBroker, prefix: str, interferences: Interferences, **settings: int) -> WorkerProcess:
    """A worker with a model, that is not patient."""
    limits = {"max_stall_ms": STALL_MS, "max_run_ms": STALL_MS, "not_live_exit_ms": 0} | settings
    return WorkerProcess(broker, prefix, interferences, model=FAULTY, **limits)


async def at_work(worker: WorkerProcess, broker: TestBroker, prefix: str) -> None:
    """Wait until it has published results."""
    await worker.until_ready()
    sent = await send(broker.address, prefix, moments(100), N_PARTITIONS)
    async with Reader(broker.address, prefix, N_PARTITIONS) as reader:
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)


async def until_not_live(worker: WorkerProcess, part: str) -> str:
    """Why, once it says that it is not live."""
    deadline_s = time.monotonic() + LIMIT_S
    while (answer := await worker.ask("/livez"))[0] != 503:
        assert time.monotonic() < deadline_s, f"{part}: {worker.log()[-2000:]}"
        await asyncio.sleep(0.05)
    return " ".join(answer[1]["reasons"])


async def stays_live(worker: WorkerProcess, watch_s: float = WATCH_S) -> None:
    """Ask all the time for so long."""
    until_s = time.monotonic() + watch_s
    while time.monotonic() < until_s:
        status, answer = await worker.ask("/livez")
        assert status == 200, answer
        await asyncio.sleep(0.1)
    assert worker.running
