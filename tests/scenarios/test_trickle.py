"""A backlog of pictures, with the other lanes trickling in behind: nothing is torn, and memory stays small."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 4
PICTURE_BYTES = 20_000
MAX_RSS_MB = 600
MAX_WAIT_MS = 10_000
"""By the default a sender that a busy machine stops for two seconds is a silent lane: all that is held is decided."""


@dataclass(frozen=True)
class Size:
    n_moments: int
    trickle_per_s: int
    limit_s: float


SIZES = {"tansu": Size(1_500, 1_500, 60.0), "apache": Size(20_000, 1_500, 120.0)}


@pytest.mark.timing
@pytest.mark.slow
async def test_a_backlog_of_pictures_waits_for_the_lanes_that_trickle_in(
    broker_kind: str, broker: TestBroker, topic_prefix: str
) -> None:
    """Every moment is complete, though pictures are far ahead, and resident memory stays under its limit."""
    size = SIZES[broker_kind]
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(size.n_moments, n_bytes=PICTURE_BYTES)
    pictures = [sample for sample in samples if sample.event.modality == "image"]
    others = [sample for sample in samples if sample.event.modality != "image"]
    sent = await send(broker.address, topic_prefix, pictures, N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix, max_wait_ms=MAX_WAIT_MS) as worker,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await worker.until_ready()
        trickling = asyncio.create_task(
            send(broker.address, topic_prefix, others, N_PARTITIONS, per_s=size.trickle_per_s, sent=sent)
        )
        largest_mb = 0.0
        while not trickling.done():
            await reader.read_some()
            largest_mb = max(largest_mb, rss_mb(worker.pid))
        await trickling
        await reader.read_until(lambda seen: not seen.undecided(sent), size.limit_s)
        outcomes = await reader.read_rest()
        assert outcomes.violations(sent) == []
        assert outcomes.n_torn(sent) == 0, outcomes.kinds()
        assert max(largest_mb, rss_mb(worker.pid)) < MAX_RSS_MB


def rss_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("needs /proc to see a process's memory")
    return int(status.read_text().split("VmRSS:")[1].split()[0]) / 1024
