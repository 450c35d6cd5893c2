"""Worker processes for tests: started, asked how they do, killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from tests.support.brokers import TestBroker
from tests.support.interferences import VARIABLE, Interferences, Switches
from tests.support.scraped import Scraped

ROOT = Path(__file__).parents[2]
SESSION_TIMEOUT_MS = {"tansu": 3_000, "apache": 6_000}
"""By kind of broker: how long the others wait for one that was killed. Apache Kafka takes no less than 6 s."""
READY_TIMEOUT_S = 300.0
GIVE_BACK = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072", "MALLOC_MMAP_THRESHOLD_": "131072"}
"""Have glibc give back what is free: resident memory is what the worker holds then, not what the allocator keeps. With
it the memory of one scenario varied by 1 MB from run to run, and by 50 without."""


class WorkerProcess:
    """`syncline worker` as a process of its own; an async context manager that leaves nothing behind.

    `interferences` are what it suffers, `settings` the worker's, `environment` variables beside those of this process;
    all may be changed between its end and `start`.
    """

    def __init__(
        self, broker: TestBroker, prefix: str, interferences: Interferences | None = None, **settings: object
    ) -> None:
        place: dict[str, object] = {"brokers": broker.address, "topic_prefix": prefix, "group": prefix + "workers"}
        times = {"session_timeout_ms": SESSION_TIMEOUT_MS[broker.kind], "heartbeat_ms": 500, "commit_interval_ms": 100}
        self.interferences = interferences
        self.settings = {**place, **times, **settings}
        self.environment: dict[str, str] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="syncline-worker-")
        self._log = Path(self._folder.name) / "log"
        self._switches = Switches(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> WorkerProcess:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Process id of the present process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether there is a process, and it has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP has stopped it, its own or ours."""
        looked = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        return self.running and os.waitid(os.P_PID, self.pid, looked) is not None

    def start(self) -> None:
        """Start it, or start it anew after its end."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SYNCLINE_")}
        environment |= {**GIVE_BACK, **self.environment}
        module = ["syncline", "worker"]
        if self.interferences is not None:
            module = ["tests.guarantees.worker"]
            suffered = msgspec.structs.replace(self.interferences, folder=self._folder.name)
            environment[VARIABLE] = suffered.to_text()
        pairs = (("--" + name.replace("_", "-"), str(value)) for name, value in self.settings.items())
        flags = [text for pair in pairs for text in pair]
        command = [sys.executable, "-m", *module, *flags]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log)

    def kill(self) -> None:
        """End it with kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    async def terminate(self, limit_s: float = 300.0) -> tuple[int, bytes]:
        """End it with SIGTERM; its exit code and what it wrote to stdout."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self.wait(limit_s)

    async def wait(self, limit_s: float = 300.0) -> tuple[int, bytes]:
        """Wait for its end; its exit code and what it wrote to stdout."""
        assert self._process is not None
        stdout, _ = await asyncio.to_thread(self._process.communicate, None, limit_s)
        return self._process.returncode, stdout

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def switch(self, name: str, *, on: bool = True) -> None:
        """Turn one of its interferences' switches on or off; holds for its next lives too."""
        self._switches.turn(name, on=on)

    async def until_stopped(self, limit_s: float = 300.0) -> None:
        """Wait until it is stopped."""
        deadline_s = time.monotonic() + limit_s
        while not self.stopped:
            assert self.running, f"the worker has ended: {self.log()[-3000:]}"
            assert time.monotonic() < deadline_s, f"not stopped after {limit_s} s: {self.log()[-3000:]}"
            await asyncio.sleep(0.01)

    def log(self) -> str:
        """What it wrote to stderr, over all its lives."""
        return self._log.read_text(errors="replace")

    async def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and answer of its health server; (0, {}) while it does not answer."""
        ports = re.findall(r"health: http://127\.0\.0\.1:(\d+)/", self.log())
        if not ports or not self.running:
            return 0, {}
        return await asyncio.to_thread(_get, f"http://127.0.0.1:{ports[-1]}{path}")

    async def scrape(self) -> Scraped:
        """What its /metrics says; fails where it does not answer."""
        port = re.findall(r"health: http://127\.0\.0\.1:(\d+)/", self.log())[-1]
        return Scraped(await asyncio.to_thread(_get_text, f"http://127.0.0.1:{port}/metrics"))

    async def until_ready(self, limit_s: float = READY_TIMEOUT_S) -> None:
        """Wait until /readyz says so."""
        answer: dict[str, Any] = {}
        try:
            async with asyncio.timeout(limit_s):
                while (answered := await self.ask("/readyz"))[0] != 200:
                    answer = answered[1]
                    assert self.running, f"the worker has ended: {self.log()}"
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not ready after {limit_s} s: {answer}\n{self.log()[-3000:]}") from None

    async def reasons(self, path: str = "/readyz") -> list[str]:
        """Why it is not ready, or by /livez not live; none while it is, or does not answer."""
        return (await self.ask(path))[1].get("reasons", [])

    async def until_reason(self, part: str, limit_s: float = READY_TIMEOUT_S, path: str = "/readyz") -> str:
        """Wait until one of its reasons contains `part`; all reasons."""
        reasons: list[str] = []
        try:
            async with asyncio.timeout(limit_s):
                while not any(part in reason for reason in reasons):
                    assert self.running, f"the worker has ended: {self.log()}"
                    await asyncio.sleep(0.02)
                    reasons = await self.reasons(path)
        except TimeoutError:
            raise AssertionError(f"{part!r} is not said after {limit_s} s: {reasons}\n{self.log()[-3000:]}") from None
        return "\n".join(reasons)


def _get_text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310 (our own loopback server)
        return response.read().decode()


def _get(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 (our own loopback server)
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except OSError:
        return 0, {}
