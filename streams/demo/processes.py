"""The processes of a demo: workers that are told where everything is, and are ended whatever happens."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.error import URLError

from syncline.children import Child
from syncline.errors import SynclineError
from syncline.security import SecuritySettings

READY_TIMEOUT_S = 90.0
STOP_GRACE_S = 15.0


class DemoError(SynclineError):
    """The demo could not run to its end."""


@asynccontextmanager
async def workers(
    n_workers: int, brokers: str, security: SecuritySettings, topic_prefix: str, model: str, config: Path
) -> AsyncGenerator[list[Child]]:
    """Run `n_workers` worker processes; ready when entered, gone when left."""
    ports = _free_ports(n_workers)
    environment = {**os.environ, **security.as_environment()}
    commands = [_command(brokers, topic_prefix, model, port, config) for port in ports]
    children = [Child(command, env=environment) for command in commands]
    try:
        await asyncio.gather(*(_until_ready(child, port) for child, port in zip(children, ports, strict=True)))
        yield children
    finally:
        await asyncio.shield(asyncio.gather(*(asyncio.to_thread(child.stop, STOP_GRACE_S) for child in children)))


def _command(brokers: str, topic_prefix: str, model: str, port: int, config: Path) -> list[str]:
    options = {
        "--brokers": brokers,
        "--topic-prefix": topic_prefix,
        "--group": f"{topic_prefix}demo",
        "--model": model,
        "--web-port": str(port),
        "--config": str(config),
    }
    return [sys.executable, "-m", "syncline", "worker", *(word for pair in options.items() for word in pair)]


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


async def _until_ready(child: Child, port: int) -> None:
    deadline_s = asyncio.get_running_loop().time() + READY_TIMEOUT_S
    while True:
        if child.returncode is not None:
            raise DemoError(f"a worker ended with exit code {child.returncode}:\n{child.output()}")
        if await asyncio.to_thread(_is_ready, port):
            return
        if asyncio.get_running_loop().time() > deadline_s:
            raise DemoError(f"a worker is not ready after {READY_TIMEOUT_S:.0f} s:\n{child.output()}")
        await asyncio.sleep(0.1)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:  # nosec B310  # loopback
            return answer.status == 200
    except (URLError, OSError):
        return False
