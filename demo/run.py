"""Runs `syncline demo`: broker, topics, workers, replay, screen, account."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import tempfile
import urllib.request
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

from rich.console import Console

from demo.ledger import STREAM, Ledger, Said
from demo.replay import Replay
from demo.scenario import SAMPLES_DIR, STREAMS, Scenario, load_samples, plan_demo
from demo.view import View
from models.registry import parse_spec
from syncline.broker import EmbeddedBroker
from syncline.errors import SynclineError
from syncline.kafka.cluster import Cluster
from syncline.kafka.security import SecuritySettings
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.subprocess_guard import Child

READY_TIMEOUT_S = 90.0
STOP_GRACE_S = 15.0


class DemoError(SynclineError):
    """The demo could not finish."""


@asynccontextmanager
async def workers(
    n_workers: int, brokers: str, security: SecuritySettings, topic_prefix: str, model: str, config: Path
) -> AsyncGenerator[list[Child]]:
    """Run `n_workers` worker processes, ready on entering and ended on leaving."""
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


N_PARTITIONS = 4
OUTCOME_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The demo's options.

    rate: moments a second of each stream. brokers: empty: the embedded broker. convert: conversions of one stream's
    events, as in the worker's setting.
    """

    seconds: int = 20
    workers: int = 2
    rate: float = 3.0
    model: str = "reference"
    convert: tuple[str, ...] = ()
    brokers: str = ""
    security: SecuritySettings = field(default_factory=SecuritySettings)
    json_file: Path | None = None


async def run_demo(options: DemoOptions, console: Console) -> int:
    """Run the demo; return exit code 0 only if every record has exactly its planned outcome."""
    samples = load_samples()
    scenario = plan_demo(
        samples, SAMPLES_DIR, seconds=options.seconds, rate=options.rate, with_broken=options.model != "null"
    )
    ledger = Ledger(Said(parse_spec(text).kind for text in options.convert))
    async with _broker(options.brokers, console) as brokers:
        prefix = f"syncline.demo-{uuid.uuid4().hex[:8]}."
        await create_topics(Cluster.of(brokers, options.security), TopicPlan(n_partitions=N_PARTITIONS, prefix=prefix))
        await _play(options, console, scenario, ledger, brokers, prefix)
    summary = ledger.summary()
    if options.json_file is not None:
        options.json_file.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    print_summary(ledger, console)
    return 1 if ledger.problems() else 0


@asynccontextmanager
async def _broker(brokers: str, console: Console) -> AsyncGenerator[str]:
    if brokers:
        console.print(f"using the broker at {brokers}; the demo's topics begin with syncline.demo-", highlight=False)
        yield brokers
        return
    # Hides the warning that the embedded broker has no idempotent producers.
    logging.getLogger("syncline").setLevel(logging.ERROR)
    async with EmbeddedBroker() as embedded:
        console.print(f"embedded broker at {embedded.address}", highlight=False)
        yield embedded.address


async def _play(
    options: DemoOptions, console: Console, scenario: Scenario, ledger: Ledger, brokers: str, prefix: str
) -> None:
    also = f", {' and '.join(options.convert)} of stream {STREAM}" if options.convert else ""
    console.print(f"starting {options.workers} workers with model {options.model}{also} …", highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "syncline.toml"
        config.write_text(converting(options.convert) + scenario.worker_toml)
        async with workers(options.workers, brokers, options.security, prefix, options.model, config):
            console.print(
                f"{len(scenario.records)} records of {len(STREAMS)} streams, {options.seconds} s", highlight=False
            )
            view = View(ledger, console)
            try:
                await _replay(Replay(scenario, brokers, options.security, prefix, ledger), ledger, view)
            finally:
                view.close()


async def _replay(replay: Replay, ledger: Ledger, view: View) -> None:
    reading = asyncio.create_task(replay.read(view.note))
    sending = asyncio.create_task(replay.send(N_PARTITIONS))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            raise DemoError("the results could not be read") from reading.exception()
        await sending
        await _until_settled(ledger, view, reading)
    finally:
        for task in (reading, sending):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _until_settled(ledger: Ledger, view: View, reading: asyncio.Task[None]) -> None:
    """Wait for the last outcome; give up after a while without news, and let the account tell what is missing."""
    loop = asyncio.get_running_loop()
    n_seen, seen_s = -1, loop.time()
    while ledger.n_open and not reading.done() and loop.time() - seen_s < OUTCOME_TIMEOUT_S:
        if ledger.n_results != n_seen:
            n_seen, seen_s = ledger.n_results, loop.time()
        view.note()
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # later conversions and repeats count too


def converting(convert: Sequence[str]) -> str:
    """Return the lines of syncline.toml that make workers convert one stream."""
    return f"convert = {json.dumps(list(convert))}\nconvert_streams = [{json.dumps(STREAM)}]\n" if convert else ""


def print_summary(ledger: Ledger, console: Console) -> None:
    """Print the account: what was sent, what became of it, how fast, how accurately, and what is wrong."""
    summary, problems = ledger.summary(), ledger.problems()
    outcomes: dict[str, int] = summary["outcomes"]  # pyright: ignore[reportAssignmentType]  see Ledger.summary
    console.print(f"\n{len(ledger.sent)} records sent, {sum(outcomes.values())} outcomes:", highlight=False)
    for outcome, count in outcomes.items():
        console.print(f"  {count:5}  {outcome.replace(':', ': ')}", highlight=False)
    sets = ledger.n_sets
    console.print(f"sets: {sets['complete']} complete, {sets['partial']} partial", highlight=False)
    latency = ledger.latency_ms()
    if latency:
        p50, p95 = latency["p50"], latency["p95"]
        by_stream = ", ".join(f"{name} {found}" for name, found in ledger.latency_ms_by_stream().items())
        console.print(f"last member on the broker to result read: p50 {p50} ms, p95 {p95} ms", highlight=False)
        console.print(f"  p50 by stream: {by_stream} ms (dock waits for notes out of order)", highlight=False)
    shares = ", ".join(f"{name} {share:.0%}" for name, share in ledger.accuracy().items())
    console.print(f"best label right in complete sets: {shares or '–'}", highlight=False)
    for kind, found in ledger.said.summary(ledger.sent).items():
        facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items())
        console.print(f"{kind} of {STREAM}: {facts}", highlight=False)
    for problem in problems[:20]:
        console.print(f"  wrong: {problem}", style="red", highlight=False, markup=False)
    verdict = "every record has exactly the outcome that was planned" if not problems else f"{len(problems)} are wrong"
    console.print(verdict, style="green" if not problems else "red", highlight=False)
