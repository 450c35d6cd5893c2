"""The checker over a real run: two workers, records with gaps, one kill -9; everything is read back from the broker."""

from __future__ import annotations

import asyncio

import pytest

from streams.join.settings import JoinSettings
from syncline.send_log import Send
from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import Sent, moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess
from verify import CommitSample, check, read_history, watch_commits

N_PARTITIONS = 4
N_MOMENTS = {"tansu": 600, "apache": 4_000}
LIMIT_S = 300.0


def sends_of(sent: Sent) -> list[Send]:
    """What a producer would have written into its send log."""
    return [
        Send(
            id=sample.event.id, source=sample.event.source, stream=sample.event.stream, lane=sample.event.lane,
            topic=topic, outcome="ok", partition=partition, offset=offset,
        )
        for (topic, partition, offset), sample in sent.records.items()
    ]  # fmt: skip


async def look_now_and_then(broker: TestBroker, prefix: str, samples: list[CommitSample]) -> None:
    """Take samples of the commits until cancelled."""
    group = prefix + "workers"
    async with watch_commits(broker.address, topic_prefix=prefix, group=group) as look:
        while True:
            samples.append(await look())
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_a_run_with_a_kill_has_no_violation(broker_kind: str, broker: TestBroker, topic_prefix: str) -> None:
    """What is read back is complete, every send is accounted for, and nothing is wrong with it."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(N_MOMENTS[broker_kind], missing=0.1, seed=8)
    commits: list[CommitSample] = []
    async with (
        WorkerProcess(broker, topic_prefix) as first,
        WorkerProcess(broker, topic_prefix) as second,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await first.until_ready()
        await second.until_ready()
        looking = asyncio.create_task(look_now_and_then(broker, topic_prefix, commits))
        sending = asyncio.create_task(send(broker.address, topic_prefix, samples, N_PARTITIONS, per_s=400))
        await reader.read_until(lambda seen: len(seen.by_record) >= len(samples) // 3, LIMIT_S)
        first.kill()
        first.start()
        sent = await sending
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        await reader.read_rest()
        looking.cancel()
        await asyncio.wait([looking])
        history = await read_history(
            broker.address,
            topic_prefix=topic_prefix,
            group=topic_prefix + "workers",
            sends=sends_of(sent),
            commits=commits,
        )
        report = check(history, JoinSettings(), finished=True)
    assert report.violations == [], report.table()
    assert sum(report.counts["records"].values()) == len(samples) == report.counts["sends"]["ok, and there"]
    assert len(commits) > 5
