"""A worker that may open nothing more: it says so, and takes over what another one leaves."""

from __future__ import annotations

import os
import resource
import sys

import pytest

from tests.support.brokers import TestBroker
from tests.support.judge import Reader
from tests.support.moments import moments, send
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 4
LIMIT_S = 300.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux changes the limits of a running process")
async def test_a_worker_takes_over_though_no_file_descriptor_is_left(broker: TestBroker, topic_prefix: str) -> None:
    """Recovery connects anew, with what is kept for it; /readyz says what is wrong, with a descriptor of its own."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    samples = moments(400)
    sent = await send(broker.address, topic_prefix, samples[:600], N_PARTITIONS)
    async with (
        WorkerProcess(broker, topic_prefix, model="null") as first,
        Reader(broker.address, topic_prefix, N_PARTITIONS) as reader,
    ):
        await first.until_ready()
        async with WorkerProcess(broker, topic_prefix, model="null") as second:
            await second.until_ready()
            await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
            _, hard = resource.prlimit(first.pid, resource.RLIMIT_NOFILE)
            n_open = max(map(int, os.listdir(f"/proc/{first.pid}/fd"))) + 1
            resource.prlimit(first.pid, resource.RLIMIT_NOFILE, (n_open, hard))
            await first.until_reason(f"all {n_open} file descriptors")
            second.kill()
        await send(broker.address, topic_prefix, samples[600:], N_PARTITIONS, sent=sent)
        outcomes = await reader.read_until(lambda seen: not seen.undecided(sent), LIMIT_S)
        assert outcomes.violations(sent) == []
        assert first.log().count("file descriptors that this process may have") == 1
        resource.prlimit(first.pid, resource.RLIMIT_NOFILE, (hard, hard))
        await first.until_ready()
