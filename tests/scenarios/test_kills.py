"""Two workers, records with gaps, kill -9 at random: judged from the topics alone."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 4
MISSING = 0.1
PATIENT = {"max_wait_ms": 10_000}
"""A sender that stands still for a while on a busy machine is no silent lane here."""


@dataclass(frozen=True)
class Size:
    n_moments: int
    n_kills: int
    records_per_s: int
    limit_s: float


# On Tansu a group's join takes 3 s and the embedded broker is not what is judged: enough to see every path taken.
SIZES = {"tansu": Size(1_200, 2, 500, 90.0), "apache": Size(20_000, 5, 1_000, 200.0)}


@pytest.mark.slow
async def test_every_record_has_one_outcome_whatever_is_killed(
    broker_kind: str, broker: TestBroker, topic_prefix: str
) -> None:
    """Kills at random moments leave each record with one outcome, and repeats with the same id and members."""
    size, random_ = SIZES[broker_kind], random.Random(3)
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(size.n_moments, missing=MISSING, seed=3)
    sent = await send(broker.address, topic_prefix, samples[: len(samples) // 3], N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix, **PATIENT) as first,
        WorkerProcess(broker, topic_prefix, **PATIENT) as second,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        rest = samples[len(samples) // 3 :]
        sending = asyncio.create_task(
            send(broker.address, topic_prefix, rest, N_PARTITIONS, per_s=size.records_per_s, sent=sent)
        )
        for n_decided in sorted(random_.sample(range(100, int(len(samples) * 0.9)), size.n_kills)):
            await reader.read_until(lambda seen, n=n_decided: len(seen.by_record) >= n, size.limit_s)
            victim = random_.choice((first, second))
            victim.kill()
            victim.start()
        await sending
        await reader.read_until(lambda seen: not seen.undecided(sent), size.limit_s)
        outcomes = await reader.read_rest()
        assert outcomes.violations(sent) == [], first.log()[-2000:] + second.log()[-2000:]
        assert outcomes.n_torn(sent) == 0, outcomes.kinds()
