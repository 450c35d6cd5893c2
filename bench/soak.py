"""Sends a million events through two workers that are killed repeatedly: is anything lost, does memory grow?

    python -m bench.soak [--events 1000000] [--kill-every-s 30] [--events-per-s 1900] [--json FILE]
    python -m bench.soak --events 7200000 --events-per-s 2000 --kill-every-s 60 --reset-every-s 60 --spare-first

The second takes an hour. Once a minute one worker is killed, which causes two rebalances, and all connections of both
are reset. The other worker runs throughout, so that its memory and log can be followed.

Starts an Apache Kafka and removes it at the end. Results are judged as they come, and again by `syncline verify` with
the decisions (2 GB of memory for a million events). Exit code 1 on a violation or if records are left. See
bench/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.fleet import ROOT, Fleet, FleetMember, Life, worker_command
from bench.join import machine, with_broker
from bench.outcomes import Follower, Judged, Outcomes, group_lag
from bench.records import PERIOD_MS, Backlog, LiveProducer
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.contract import MODALITIES
from tests.support.proxy import Proxy

N_PARTITIONS = 4
SHARE_DROPPED = 0.02
ENOUGH = 1.001
"""Factor of spare events: dropped ones are random, and no fewer than asked for may be sent."""
SESSION_TIMEOUT_MS = 6_000
PROGRESS_S = 10.0
MEMORY_S = 1.0
WARM_UP_S = 10.0
"""How long a process runs before its memory is first measured."""
DRAIN_LIMIT_S = 240.0
"""How long all outcomes may take after the last event."""
QUIET_S = 5.0
NAMES = ("first", "second")
LIFE = "  {:<8} {:>5} {:>8} {:>7} {:>7} {:>7} {:>7}"
PROGRESS = "{:>7} {:>10} {:>10} {:>9} {:>9} {:>8} {:>6} {:>9}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """The result of a soak run."""

    judged: Judged
    seconds: float
    n_kills: int
    n_resets: int
    lag: int
    lives: list[Life]

    @property
    def events_per_s(self) -> float:
        """From the first event sent to the last outcome."""
        return self.judged.sent / self.seconds

    @property
    def problems(self) -> list[str]:
        """Describe what makes the run fail."""
        found = [f"{count} {name}" for name, count in self.judged.violations.items()]
        return [*found, f"{self.lag} records not committed"] if self.lag else found


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakTrouble:
    """The workers' troubles and their intervals; `reset_every_s` above 0 resets connections."""

    kill_every_s: float
    reset_every_s: float = 0.0
    spare_first: bool = False


async def soak(brokers: str, prefix: str, backlog: Backlog, trouble: SoakTrouble) -> Soaked:
    """Run over all of `backlog`."""
    await create_topics(brokers, TopicPlan(prefix=prefix, n_partitions=N_PARTITIONS))
    outcomes = Outcomes(backlog.n_moments)

    def on_sent(moment: int, event: Any) -> None:
        outcomes.sent(moment * len(MODALITIES) + MODALITIES.index(event.modality))

    producer = LiveProducer(brokers, prefix, backlog, on_sent)
    follower = Follower(brokers, prefix, N_PARTITIONS, outcomes)
    async with AsyncExitStack() as around, asyncio.TaskGroup() as tasks:
        proxies = [await around.enter_async_context(Proxy(brokers)) for _ in NAMES if trouble.reset_every_s > 0]
        addresses = [proxy.address for proxy in proxies] or [brokers] * len(NAMES)
        fleet = await around.enter_async_context(
            Fleet([_member(name, address, prefix) for name, address in zip(NAMES, addresses, strict=True)])
        )
        for member in fleet.members:
            await member.until_ready()
        started_s = time.monotonic()
        background = [
            tasks.create_task(work)
            for work in (
                follower.run(),
                fleet.watch_memory(MEMORY_S, WARM_UP_S),
                _show_progress(outcomes, fleet, producer),
            )
        ]
        troubling = tasks.create_task(_trouble(fleet, proxies, trouble))
        await producer.run()
        troubling.cancel()
        await _until_decided(outcomes)
        seconds = follower.last_s - started_s
        lag = await _until_committed(brokers, prefix)
        await _until_quiet(follower)
        for task in background:
            task.cancel()
        lives = [life for member in fleet.members for life in member.lives]
        for member in fleet.members:
            await asyncio.to_thread(member.stop)
        n_resets = sum(proxy.n_resets for proxy in proxies)
    judged, n_kills = outcomes.judge(), fleet.n_kills
    return Soaked(judged=judged, seconds=seconds, n_kills=n_kills, n_resets=n_resets, lag=lag, lives=lives)


def _member(name: str, brokers: str, prefix: str) -> FleetMember:
    return FleetMember(name, worker_command(brokers, prefix, session_timeout_ms=SESSION_TIMEOUT_MS, heartbeat_ms=1_000))


async def _trouble(fleet: Fleet, proxies: Sequence[Proxy], trouble: SoakTrouble) -> None:
    """Kill, and reset if there are proxies, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fleet.kill_in_turn(trouble.kill_every_s, n_spared=int(trouble.spare_first)))
        if proxies:
            tasks.create_task(_reset(proxies, trouble.reset_every_s))


async def _reset(proxies: Sequence[Proxy], every_s: float) -> None:
    """Reset all connections every `every_s` seconds, between two kills, until cancelled."""
    await asyncio.sleep(every_s / 2)
    while True:
        for proxy in proxies:
            proxy.reset()
        await asyncio.sleep(every_s)


async def _until_decided(outcomes: Outcomes) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_LIMIT_S):
            while outcomes.n_decided < outcomes.n_sent:  # noqa: ASYNC110  what comes from the broker sets no event
                await asyncio.sleep(0.1)


async def _until_committed(brokers: str, prefix: str) -> int:
    """Wait until the group's lag is 0, with a limit; return it."""
    lag = await group_lag(brokers, prefix, N_PARTITIONS)
    for _ in range(20):
        if not lag:
            break
        await asyncio.sleep(0.5)
        lag = await group_lag(brokers, prefix, N_PARTITIONS)
    return lag


async def _until_quiet(follower: Follower) -> None:
    """Wait for late repeats, which are judged too."""
    while time.monotonic() - follower.last_s < QUIET_S:  # noqa: ASYNC110
        await asyncio.sleep(0.2)


async def _show_progress(outcomes: Outcomes, fleet: Fleet, producer: LiveProducer) -> None:
    started_s, n_before = time.monotonic(), 0
    print(PROGRESS.format("seconds", "sent", "decided", "open", "decided/s", "repeats", "kills", "MB"), flush=True)
    while True:
        await asyncio.sleep(PROGRESS_S)
        now = outcomes.judge()
        n_open, per_s = outcomes.n_sent - outcomes.n_decided, (outcomes.n_decided - n_before) / PROGRESS_S
        memory = "/".join(f"{member.lives[-1].last_mb:.0f}" for member in fleet.members)
        counts = (f"{time.monotonic() - started_s:.0f}", f"{outcomes.n_sent:,}", f"{outcomes.n_decided:,}")
        behind = f" producer {producer.behind_s:.1f} s behind" if producer.behind_s > 1 else ""
        row = PROGRESS.format(*counts, f"{n_open:,}", f"{per_s:,.0f}", now.repeats, fleet.n_kills, memory)
        print(row + behind, flush=True)
        n_before = outcomes.n_decided


def verify(brokers: str, prefix: str) -> tuple[bool, str]:
    """Run `syncline verify`; return whether it finds nothing wrong, and its table."""
    options = ["--finished", "--brokers", brokers, "--topic-prefix", prefix, "--group", prefix + "workers"]
    command = [sys.executable, "-m", "syncline", "verify", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def show(soaked: Soaked) -> None:
    """Print the tables."""
    judged = soaked.judged
    rate = f"{judged.sent:,} events in {soaked.seconds:.0f} s ({soaked.events_per_s:,.0f}/s)"
    print(f"\n{rate}, {soaked.n_kills} kills, {soaked.n_resets} resets")
    for name, count in judged.export().items():
        print(f"  {name:<13} {count:>10,}")
    print(f"  {'lag':<13} {soaked.lag:>10,}")
    print("\nresident memory of each life, MB, from its warm-up on, and lines that it wrote")
    print(LIFE.format("worker", "life", "seconds", "first", "last", "most", "lines"))
    for life in soaked.lives:
        if life.max_mb:
            memory = (round(life.first_mb), round(life.last_mb), round(life.max_mb))
            print(LIFE.format(life.name, life.number, round(life.seconds), *memory, life.n_lines))


def main() -> None:
    """Soak, print the tables, write the JSON file."""
    options = _options()
    n_streams = max(1, round(options.events_per_s * PERIOD_MS / 1_000 / len(MODALITIES) / (1 - SHARE_DROPPED)))
    n_moments = math.ceil(ENOUGH * options.events / len(MODALITIES) / (1 - SHARE_DROPPED))
    backlog = Backlog(n_moments=n_moments, n_streams=n_streams, n_bytes=100, share_dropped=SHARE_DROPPED)
    prefix = f"soak{time.time_ns() // 1_000_000}."
    with with_broker(options.brokers) as brokers:
        trouble = SoakTrouble(
            kill_every_s=options.kill_every_s, reset_every_s=options.reset_every_s, spare_first=options.spare_first
        )
        soaked = asyncio.run(soak(brokers, prefix, backlog, trouble))
        show(soaked)
        good, said = verify(brokers, prefix) if options.verify else (True, "")
        print(f"\nsyncline verify: {'nothing wrong' if good else 'VIOLATIONS'}\n{said}" if said else "")
    if options.json is not None:
        report = {"machine": machine(), **asdict(soaked), "events_per_s": soaked.events_per_s, "verified": good}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if soaked.problems or not good:
        raise SystemExit("not good: " + ", ".join(soaked.problems or ["syncline verify found violations"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events to send")
    parser.add_argument("--events-per-s", type=float, default=1_900.0, help="events a second")
    parser.add_argument("--kill-every-s", type=float, default=30.0, help="seconds between two kills, in turn")
    parser.add_argument("--reset-every-s", type=float, default=0.0, help="seconds between two resets; 0: none")
    parser.add_argument("--spare-first", action="store_true", help="kill the second worker alone")
    parser.add_argument("--no-verify", dest="verify", action="store_false", help="leave `syncline verify` out")
    parser.add_argument("--brokers", help="host:port of a Kafka broker; without it one is started from Maven's jars")
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
