"""The embedded broker comes up, says why when it cannot, and never stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from syncline import broker as broker_module
from syncline.broker import EmbeddedBroker, find_binary
from syncline.errors import BrokerError, MissingExtraError, SettingsError
from syncline.kafka.cluster import Cluster
from syncline.kafka.topics import admin_client

pytestmark = pytest.mark.kafka
ROOT = Path(__file__).parents[2]


def is_running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be collected."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip() not in ("",) and not state.stdout.startswith("Z")


def wait_gone(pid: int, limit_s: float = 300.0) -> None:
    """Wait until a process has ended."""
    deadline_s = time.monotonic() + limit_s
    while is_running(pid):
        assert time.monotonic() < deadline_s, f"process {pid} is still there"
        time.sleep(0.02)


async def test_it_answers_a_kafka_client() -> None:
    """Inside the context a client finds one broker, on the address that it names."""
    async with EmbeddedBroker() as running, admin_client(Cluster.of(running.address)) as admin:
        cluster = await admin.describe_cluster()
        assert [(node["host"], node["port"]) for node in cluster["brokers"]] == [("127.0.0.1", running.port)]


async def test_it_is_gone_after_the_context() -> None:
    """Leaving the context ends the process."""
    async with EmbeddedBroker() as running:
        pid = running.pid
        assert pid is not None
        assert is_running(pid)
    assert not is_running(pid)


async def test_two_at_once_take_two_ports() -> None:
    """A second broker beside the first finds a port of its own."""
    async with EmbeddedBroker() as one, EmbeddedBroker() as two:
        assert one.port != two.port


async def test_a_taken_port_is_named() -> None:
    """A port that somebody listens on is a BrokerError that names it, and nothing is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} on 127.0.0.1 is taken"):
            await EmbeddedBroker(port).start()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_a_wrong_setting(port: int) -> None:
    """Ports outside 0 to 65535 are refused before anything is started."""
    with pytest.raises(SettingsError, match="port"):
        EmbeddedBroker(port)


async def test_a_broker_that_ends_at_once_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failing binary says is in the error; a `tansu` on the PATH wins over the one in the wheel."""
    fake = tmp_path / "tansu"
    fake.write_text("#!/bin/sh\necho no such storage >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert find_binary() == str(fake)
    with pytest.raises(BrokerError, match="no such storage"):
        await EmbeddedBroker().start()


async def test_without_a_tansu_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither a `tansu` nor the wheel is there, the error says what to install."""
    monkeypatch.setattr(broker_module.shutil, "which", lambda name: None)
    monkeypatch.setattr(broker_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"syncline\[broker\]"):
        await EmbeddedBroker().start()


async def test_wait_tells_of_a_broker_that_died() -> None:
    """A broker that is killed from outside ends `wait` with an error."""
    async with EmbeddedBroker() as running:
        assert running.pid is not None
        os.kill(running.pid, signal.SIGKILL)
        with pytest.raises(BrokerError, match="ended"):
            await asyncio.wait_for(running.wait(), 300)


def test_it_does_not_outlive_a_killed_starter() -> None:
    """When the process that started the broker is killed with no chance to clean up, the broker ends too."""
    program = (
        "import asyncio, time\n"
        "from syncline.broker import EmbeddedBroker\n"
        "async def main():\n"
        "    async with EmbeddedBroker() as running:\n"
        "        print(running.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert is_running(pid)
        starter.kill()
    wait_gone(pid)
