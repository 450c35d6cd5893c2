"""A lane whose clock stands still: it delays its own stream by `max_wait_ms`, and nobody else."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import START_MS, Sample, moments, send
from tests.support.raw import event
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

LIMIT_S = 300.0


@pytest.mark.slow
async def test_a_lane_whose_clock_stands_still_holds_nothing_up(broker: TestBroker, topic_prefix: str) -> None:
    """Its texts come ten times a second, all of one moment; the image beside them is decided, and /readyz names it."""
    await make_topics(broker.address, topic_prefix, 1)
    image = Sample(0, event("image", stream="stuck", time_ms=START_MS + 60_000))
    texts = [Sample(-n, event("text", stream="stuck", id=str(n), time_ms=START_MS)) for n in range(600)]
    async with (
        WorkerProcess(broker, topic_prefix, max_wait_ms=1_000) as worker,
        Reader(broker.address, topic_prefix, 1) as reader,
    ):
        await worker.until_ready()
        sent = await send(broker.address, topic_prefix, [image], 1)
        trickle = asyncio.create_task(send(broker.address, topic_prefix, texts, 1, per_s=10))
        await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert not trickle.done()
        (_, answer) = await worker.ask("/readyz")
        assert answer["ok"]
        assert answer["stalled_lanes"] == [
            {"partition": 0, "stream": "stuck", "lane": "text", "watermark": "2023-11-14T22:13:20.000Z"}
        ]
        others = await send(broker.address, topic_prefix, moments(30), 1)
        await reader.read_until(lambda seen: not seen.undecided(others), LIMIT_S)
        assert not trickle.done()
        trickle.cancel()
        await asyncio.wait([trickle])
