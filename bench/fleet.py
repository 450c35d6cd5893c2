"""Processes that are killed by a schedule and restarted, with their memory watched."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from syncline.subprocess_guard import Child

ROOT = Path(__file__).parents[1]
READY_LIMIT_S = 90.0
MOST_OUTPUT_BYTES = 1 << 28
"""Limit of a process's output, when its lines are counted."""


def worker_command(brokers: str, prefix: str, **settings: object) -> list[str]:
    """Return the command of a worker, with the null model by default."""
    given = {"brokers": brokers, "topic_prefix": prefix, "group": prefix + "workers", "model": "null", "web_port": 0}
    flags = [text for name, value in (given | settings).items() for text in ("--" + name.replace("_", "-"), str(value))]
    return [sys.executable, "-m", "syncline", "worker", *flags]


@dataclass(slots=True)
class Life:
    """One process from its start to its end. Resident memory is in MB, from the first measurement on."""

    name: str
    number: int
    first_mb: float = 0.0
    last_mb: float = 0.0
    max_mb: float = 0.0
    n_lines: int = 0
    """Lines of output, counted at its end."""
    seconds: float = 0.0
    """How long it ran."""

    def note(self, rss_mb: float) -> None:
        """Add a measurement."""
        self.first_mb = self.first_mb or rss_mb
        self.last_mb, self.max_mb = rss_mb, max(self.max_mb, rss_mb)


class FleetMember:
    """One member of the fleet: a process, and its successors after kills."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.name, self._command, self._env = name, command, env
        self._child: Child | None = None
        self._began_s = 0.0
        self.lives: list[Life] = []

    def start(self) -> None:
        """Start a process."""
        self._child, self._began_s = Child(self._command, env=self._env, cwd=ROOT), time.monotonic()
        self.lives.append(Life(self.name, len(self.lives) + 1))

    def kill(self) -> None:
        """End it with kill -9."""
        self.stop(grace_s=0)

    def stop(self, grace_s: float = 40.0) -> None:
        """End it with SIGTERM, and with SIGKILL after `grace_s`."""
        if self._child is None:
            return
        self._child.end(grace_s)
        self.lives[-1].seconds = time.monotonic() - self._began_s
        self.lives[-1].n_lines = self._child.output(MOST_OUTPUT_BYTES).count("\n")
        self._child.stop(grace_s=0)
        self._child = None

    def output(self) -> str:
        """Return the output of its present process."""
        return self._child.output(1 << 20) if self._child is not None else ""

    @property
    def has_ended(self) -> bool:
        """Tell whether its process has ended by itself."""
        return self._child is not None and self._child.returncode is not None

    def check(self) -> None:
        """Raise SystemExit with its output if it ended by itself."""
        if self._child is not None and self.has_ended:
            raise SystemExit(f"{self.name} ended by itself: {self._child.output(4_000)}")

    def note_memory(self) -> None:
        """Measure its resident memory (Linux)."""
        if self._child is not None:
            with suppress(OSError, IndexError):
                status = Path(f"/proc/{self._child.pid}/status").read_text()
                self.lives[-1].note(int(status.split("VmRSS:")[1].split()[0]) / 1024)

    async def until_ready(self, limit_s: float = READY_LIMIT_S) -> None:
        """Wait until a worker's /readyz answers 200."""
        async with asyncio.timeout(limit_s):
            while not (await self.ask("/readyz") or {}).get("ok"):
                self.check()
                await asyncio.sleep(0.1)

    async def ask(self, path: str) -> dict[str, object] | None:
        """Get a worker's answer as JSON; None without an answer."""
        text = await self.get(path)
        return None if text is None else json.loads(text)

    async def get(self, path: str) -> str | None:
        """Get a worker's answer; None without an answer."""
        ports = re.findall(r"health: http://127\.0\.0\.1:(\d+)/", self.output())
        return await asyncio.to_thread(_get, f"http://127.0.0.1:{ports[-1]}{path}") if ports else None


class Fleet:
    """Starts its members and ends them; an async context manager."""

    def __init__(self, members: Sequence[FleetMember]) -> None:
        self.members = list(members)
        self.n_kills = self.n_ended = 0
        """How often members were killed, and how often they ended by themselves and were restarted (`supervise`)."""

    async def __aenter__(self) -> Fleet:
        for member in self.members:
            member.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self.members:
            member.kill()

    async def kill_in_turn(self, every_s: float, n_spared: int = 0) -> None:
        """Kill a member every `every_s` seconds, in turn, and restart it at once, until cancelled.

        The first `n_spared` are not killed.
        """
        victims = self.members[n_spared:]
        while True:
            await asyncio.sleep(every_s)
            victim = victims[self.n_kills % len(victims)]
            victim.kill()
            victim.start()
            self.n_kills += 1

    async def supervise(self) -> None:
        """Restart members that end by themselves, as a container's restart policy does, until cancelled."""
        while True:
            for member in self.members:
                if member.has_ended:
                    member.kill()
                    member.start()
                    self.n_ended += 1
            await asyncio.sleep(0.5)

    async def watch_memory(self, every_s: float, settle_s: float) -> None:
        """Measure every member's memory, from `settle_s` seconds after its start, until cancelled."""
        loop = asyncio.get_running_loop()
        started: dict[str, tuple[int, float]] = {}
        while True:
            for member in self.members:
                member.check()
                number, since_s = started.get(member.name, (0, 0.0))
                if number != len(member.lives):
                    started[member.name] = len(member.lives), loop.time()
                elif loop.time() - since_s >= settle_s:
                    member.note_memory()
            await asyncio.sleep(every_s)


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  # nosec B310  # loopback
            return response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError:
        return None
