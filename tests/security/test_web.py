"""The worker's web pages: for this machine alone, unless somebody says otherwise."""

from __future__ import annotations

import asyncio
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from syncline.subprocess_guard import Child
from tests.support.worker_process import ROOT

LIMIT_S = 60.0


def answers(host: str, port: int) -> bool:
    """Whether a worker says there that it lives."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/livez", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is not this machine")
@pytest.mark.parametrize(("told", "seen_elsewhere"), [([], False), (["--web-host", "0.0.0.0"], True)])  # noqa: S104
async def test_they_are_bound_to_one_address_unless_told_otherwise(
    unused_tcp_port_factory: Callable[[], int], told: list[str], seen_elsewhere: bool
) -> None:
    """At another address of this machine nobody answers, as at those by which others reach it."""
    port, nobody = unused_tcp_port_factory(), unused_tcp_port_factory()
    command = [sys.executable, "-m", "syncline", "worker", "--web-port", str(port), "--brokers", f"127.0.0.1:{nobody}"]
    worker = Child([*command, *told], cwd=ROOT)
    try:
        async with asyncio.timeout(LIMIT_S):
            while not await asyncio.to_thread(answers, "127.0.0.1", port):
                assert worker.returncode is None, worker.output()
                await asyncio.sleep(0.05)
        assert await asyncio.to_thread(answers, "127.0.0.2", port) == seen_elsewhere
    finally:
        await asyncio.to_thread(worker.stop, 20.0)
