"""The clients of examples/clients/ as processes: what somebody without Syncline's library would run."""

from __future__ import annotations

import asyncio
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from syncline.consumer import Result, ResultConsumer
from syncline.wire.contract import DEADLETTER, FUSED, UNFUSED
from syncline.wire.deadletters import DeadLetter
from syncline.wire.results import FusedResult
from tests.support.brokers import TestBroker

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "examples" / "clients"
KINDS = ("python", "node")
LIMIT_S = 100.0
"""For one run of a client, and for what is read beside it."""
_CACHE = ROOT / ".cache" / "node-client"
_OLDEST_NODE = (20, 19, 4)
_UNREACHED = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")
"""How npm says that it reached no registry, which is no fault of ours."""


class Printed(NamedTuple):
    """What a client did: exit code, its lines, and what it wrote to stderr."""

    code: int
    lines: list[dict[str, Any]]
    err: str


async def run_client(kind: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Printed:
    """Run a client; skips the test where this machine has no Node for it."""
    command = [sys.executable, str(CLIENTS / "python" / "client.py")]
    if kind == "node":
        command = ["node", str(await asyncio.to_thread(node_client))]
    process = await asyncio.create_subprocess_exec(
        *command, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(environment or {})}
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Printed(process.returncode, [json.loads(line) for line in out.decode().splitlines()], err.decode())


@functools.cache
def node_client() -> Path:
    """The Node client beside its packages, which are installed once for each lock; skips where that cannot be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, re.findall(r"\d+", version)[:3])) < _OLDEST_NODE:
        pytest.skip(f"node is {version}, older than {'.'.join(map(str, _OLDEST_NODE))}")
    source = CLIENTS / "node"
    lock = (source / "package-lock.json").read_bytes()
    folder = _CACHE / hashlib.sha256(lock).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        for name in ("client.js", "package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(source / name, folder / name)
        if not (folder / "installed").exists():
            _install(folder)
            (folder / "installed").touch()
    return folder / "client.js"


def _install(folder: Path) -> None:
    done = subprocess.run(["npm", "ci"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if any(word in done.stderr for word in _UNREACHED):
            pytest.skip(f"npm reaches no registry: {done.stderr.strip().splitlines()[-1]}")
        pytest.fail(f"npm ci: {done.stderr}")


@contextmanager
def _locked(path: Path) -> Generator[None]:
    """One of the processes that test at a time."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def place(broker: TestBroker, topic_prefix: str) -> list[str]:
    """Arguments that every run of a client has."""
    return ["--brokers", broker.address, "--prefix", topic_prefix]


async def read_by_syncline(broker: TestBroker, topic_prefix: str, n_results: int) -> list[dict[str, Any]]:
    """The first results, as Syncline's own client reads them, in the form of a plain client's lines."""
    topics = (FUSED, UNFUSED, DEADLETTER)
    async with ResultConsumer(broker.address, topics, topic_prefix=topic_prefix) as results:
        found = await results.receive_many(n_results, LIMIT_S)
    return [as_line(received.result) for received in found]


def by_id(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines in an order of their own: topics and partitions are read in any."""
    return sorted(lines, key=lambda line: (line["kind"], line["id"]))


def as_line(result: Result) -> dict[str, Any]:
    """A result that Syncline's own client read, as a plain client prints it."""
    if isinstance(result, DeadLetter):
        original = dict(result.headers)
        return {
            "kind": "deadletter",
            "id": result.id,
            "reason": result.reason,
            "detail": result.detail,
            "source": original.get("ce_source", b"").decode(),
            "event_id": original.get("ce_id", b"").decode(),
            "n_bytes": len(result.data or b""),
        }
    if not isinstance(result, FusedResult):
        return {"kind": "unfused", **msgspec.json.decode(msgspec.json.encode(result))}
    line = msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(result, embedding=None)))
    del line["timings_ms"]
    embedding = None if result.embedding is None else result.embedding.values()
    return {"kind": "fused", **line, "embedding": embedding}
