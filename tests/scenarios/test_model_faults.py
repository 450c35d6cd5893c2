"""A model that fails, in whole workers: what it costs, and what it does not."""

from __future__ import annotations

import asyncio

import pytest

from tests.scenarios.test_trickle import rss_mb
from tests.support.brokers import TestBroker
from tests.support.interferences import FAULTY, FaultyModelSettings, Interferences, ModelFault
from tests.support.judge import Outcomes, Reader
from tests.support.moments import Sample, Sent, moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 2
N_MOMENTS = 400
LIMIT_S = 300.0
MARKER = "mischief"
MARKED = range(7, N_MOMENTS, 40)
"""Moments of which the text is marked: neighbours of many others in the batches of 32."""
DOWN_S = 10.0
SOFT, HARD = 200, 800
"""Of the records that one partition number holds."""
MS_PER_SET = 20.0
MAX_GROWTH_MB = 60


def marked(samples: list[Sample]) -> list[Sample]:
    """The samples, with the marker in a member of every set that shall fail."""
    return [
        Sample(sample.moment, sample.event, MARKER.encode())
        if sample.moment in MARKED and sample.event.modality == "text"
        else sample
        for sample in samples
    ]


def faulty(*faults: ModelFault, ms_per_set: float = 0.0) -> Interferences:
    return Interferences(model=FaultyModelSettings(faults=faults, ms_per_set=ms_per_set))


async def all_of(reader: Reader, sent: Sent, worker: WorkerProcess) -> Outcomes:
    """What became of every record; each has one outcome."""
    outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
    await reader.read_rest()
    assert outcomes.violations(sent) == [], worker.log()[-3000:]
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["throws", "nan", "wrong_count", "wrong_type", "wrong_labels", "wrong_member", "out_of_memory"]
)
async def test_a_model_that_fails_on_some_sets_costs_those_alone(
    broker: TestBroker, topic_prefix: str, kind: str
) -> None:
    """Three dead letters for each, with their own reason; their neighbours in the batch are fused."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = marked(moments(N_MOMENTS))
    async with (
        WorkerProcess(broker, topic_prefix, faulty(ModelFault(kind=kind, marker=MARKER)), model=FAULTY) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        sent = await send(broker.address, topic_prefix, samples, N_PARTITIONS)
        outcomes = await all_of(reader, sent, worker)
        n_failed = 3 * len(MARKED)
        assert outcomes.kinds() == {"fused": 3 * N_MOMENTS - n_failed, "deadletter model_failed": n_failed}
        failed = {sent.records[key].moment for key, ends in outcomes.by_record.items() if "model_failed" in str(ends)}
        assert failed == set(MARKED)
        assert (await worker.ask("/readyz"))[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["throws", "out_of_memory", "wrong_count"])
async def test_a_model_that_is_down_for_ten_seconds_costs_nothing_but_time(
    broker: TestBroker, topic_prefix: str, kind: str
) -> None:
    """Live and not ready meanwhile, nothing acknowledged, no dead letter; then all is fused."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix, faulty(ModelFault(kind=kind, switch="down")), model=FAULTY) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        samples = moments(N_MOMENTS)
        sent = await send(broker.address, topic_prefix, samples[:300], N_PARTITIONS)
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        worker.switch("down")
        await send(broker.address, topic_prefix, samples[300:], N_PARTITIONS, sent=sent)
        await worker.until_reason("the model fails on everything", LIMIT_S)
        n_fused = len((await reader.read_rest()).fused)
        await asyncio.sleep(DOWN_S)
        assert (await worker.ask("/livez"))[0] == 200
        outcomes = await reader.read_rest()
        assert len(outcomes.fused) == n_fused
        assert set(outcomes.kinds()) == {"fused"}
        worker.switch("down", on=False)
        outcomes = await all_of(reader, sent, worker)
        assert outcomes.kinds() == {"fused": 3 * N_MOMENTS}
        assert outcomes.n_repeats == 0
        await worker.until_ready()


@pytest.mark.slow
async def test_a_model_that_hangs_ends_the_worker_and_the_next_carries_on(
    broker: TestBroker, topic_prefix: str
) -> None:
    """/livez fails after `max_run_ms`; whoever is started in its place loses nothing and repeats nothing."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    settings = {"model": FAULTY, "max_run_ms": 2_000, "not_live_exit_ms": 0}
    async with (
        WorkerProcess(broker, topic_prefix, faulty(ModelFault(kind="hangs", switch="stuck")), **settings) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        samples = moments(N_MOMENTS)
        sent = await send(broker.address, topic_prefix, samples[:300], N_PARTITIONS)
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        worker.switch("stuck")
        await send(broker.address, topic_prefix, samples[300:], N_PARTITIONS, sent=sent)
        await worker.until_reason("a batch has been running for", LIMIT_S, "/livez")
        assert (await worker.terminate())[0] == 1, "what it had decided is left to the next"
        worker.switch("stuck", on=False)
        worker.start()
        outcomes = await all_of(reader, sent, worker)
        assert outcomes.kinds() == {"fused": 3 * N_MOMENTS}
        assert outcomes.n_repeats == 0


@pytest.mark.timing
@pytest.mark.slow
async def test_a_model_ten_times_slower_than_the_reader_tears_no_set(broker: TestBroker, topic_prefix: str) -> None:
    """Under a backlog: what is held stays within the limits, memory flat, and the group sees one generation."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    sent = await send(broker.address, topic_prefix, moments(2_500, n_bytes=20_000), N_PARTITIONS)
    levels_mb: list[float] = []
    held: list[float] = []
    settings = {"model": FAULTY, "max_held_events": SOFT}
    async with (
        WorkerProcess(broker, topic_prefix, faulty(ms_per_set=MS_PER_SET), **settings) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await reader.read_until(lambda seen: len(seen.fused) > 200, LIMIT_S)
        while reader.outcomes.undecided(sent):
            await reader.read_some()
            levels_mb.append(rss_mb(worker.pid))
            held.append((await worker.scrape()).sum("held_records"))
        outcomes = await reader.read_rest()
        assert outcomes.violations(sent) == []
        assert outcomes.kinds() == {"fused": 7_500}
        assert outcomes.n_torn(sent) == 0
        assert outcomes.n_repeats == 0
        assert worker.log().count("generation ") == 1, worker.log()[-2000:]
    assert 0 < max(held) <= HARD, max(held)
    assert max(levels_mb) - levels_mb[0] < MAX_GROWTH_MB, levels_mb[:: max(1, len(levels_mb) // 20)]
