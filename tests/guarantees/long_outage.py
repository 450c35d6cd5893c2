"""One long outage, for real: a worker beside brokers that take nothing for minutes, then well again.

    python -m tests.guarantees.long_outage --kind topic --seconds 600

topic        `max.message.bytes=1` on results.fused, one Apache Kafka
isr          too few replicas of results.fused in sync, three of them
coordinator  nobody coordinates the workers' group, three of them

It feeds the worker all the while, looks at its memory, sockets and threads, counts what it says, and afterwards how
long it takes until every record has its outcome. Exit code 1 where something grows, is said more than once a minute, or
is not well within the limit. Lines of aiokafka's and Faust's own are counted with `--everything`.
"""

# ruff: noqa: T201 - it is a command

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.contract import FUSED
from tests.guarantees.cluster import TAKES_NOTHING, configure, kill_coordinator, until_replicated
from tests.support.apache_kafka import ApacheKafka, fetch_jars
from tests.support.brokers import Apache
from tests.support.judge import Reader
from tests.support.moments import Sent, moments, send
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 4
MOMENTS_PER_S = 5
"""What waits at the end of ten minutes, 9,000 records, is worked off within seconds."""
LOOK_S = 1.0
BEFORE_S = 5.0
WELL_S = 10.0
GROWTH_MB = 40.0
GROWTH_SOCKETS, GROWTH_THREADS = 6, 2
PREFIX = "outage."


@dataclass(frozen=True, slots=True)
class Look:
    """The worker's process at one moment, seconds from the outage's begin."""

    at_s: float
    rss_mb: float
    n_sockets: int
    n_threads: int


def look(pid: int, began_s: float) -> Look:
    """What /proc says (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    sockets = sum(
        str(fd.readlink()).startswith("socket:") for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()
    )
    n_threads = int(status.split("Threads:")[1].split()[0])
    return Look(time.monotonic() - began_s, int(status.split("VmRSS:")[1].split()[0]) / 1024, sockets, n_threads)


@asynccontextmanager
async def brokers_of(kind: str) -> AsyncIterator[Apache]:
    """Brokers that can have this outage, with their topics."""
    n_nodes = 1 if kind == "topic" else 3
    broker = Apache(n_nodes)
    if kind == "coordinator":  # its partition has one copy: nobody takes over
        broker.cluster.remove()
        broker.cluster = ApacheKafka(n_nodes, {"offsets.topic.replication.factor": "1"}, in_memory=True)
    try:
        await broker.start()
        plan = TopicPlan(n_partitions=N_PARTITIONS, prefix=PREFIX, replication=n_nodes)
        await create_topics(broker.address, plan)
        yield broker
    finally:
        broker.remove()


@asynccontextmanager
async def outage(broker: Apache, kind: str) -> AsyncIterator[None]:
    """The outage lasts as long as the context; it has ended when this has."""
    cluster, topic, group = broker.cluster, PREFIX + FUSED, PREFIX + "workers"
    if kind == "topic":
        before = await configure(broker.address, topic, TAKES_NOTHING)
        yield
        await configure(broker.address, topic, before)
    elif kind == "isr":
        before = await configure(broker.address, topic, {"min.insync.replicas": "3"})
        await asyncio.to_thread(cluster.stop_node, 0, 0)
        yield
        await configure(broker.address, topic, before)
        await asyncio.to_thread(cluster.start)
    else:
        node = await kill_coordinator(cluster, group)
        yield
        await asyncio.to_thread(cluster.start_node, node)
        await until_replicated(cluster, PREFIX)


async def run(kind: str, seconds: float, *, everything: bool) -> list[str]:
    """What went wrong, in words."""
    async with (
        brokers_of(kind) as broker,
        WorkerProcess(broker, PREFIX) as worker,
        Reader(broker.address, PREFIX, N_PARTITIONS) as reader,
    ):
        await worker.until_ready()
        sent = Sent()
        feeding = asyncio.create_task(_feed(broker, sent, seconds + 2 * BEFORE_S))
        await reader.read_until(lambda seen: len(seen.fused) > MOMENTS_PER_S * BEFORE_S / 2, 60.0)
        n_said, began_s, looks = len(worker.log()), time.monotonic(), list[Look]()
        async with outage(broker, kind):
            while time.monotonic() < began_s + seconds:
                looks.append(look(worker.pid, began_s))
                await asyncio.sleep(LOOK_S)
            n_held_up = len(sent.records) - len(reader.outcomes.by_record)
        over_s, waiting = time.monotonic(), set(sent.records)
        said = worker.log()[n_said:]
        await reader.read_until(lambda seen: waiting <= seen.by_record.keys(), 120.0)
        well_s = time.monotonic() - over_s
        await feeding
        await reader.read_until(lambda seen: not seen.undecided(sent), 120.0)
        outcomes = await reader.read_rest()
        print(f"{kind}: {seconds:.0f} s, {len(sent.records)} records, {n_held_up} waited at its end")
        print(f"  well again after {well_s:.1f} s; {outcomes.n_repeats} repeats; {outcomes.kinds()}")
        problems = [*outcomes.violations(sent), *_growth(looks), *_often(said, seconds, everything)]
        if well_s > WELL_S:
            problems.append(f"well again only after {well_s:.1f} s")
        if not worker.running:
            problems.append("the worker has ended")
        return problems


async def _feed(broker: Apache, sent: Sent, seconds: float) -> None:
    n_moments = int(MOMENTS_PER_S * seconds)
    samples = moments(n_moments, n_streams=8)
    per_s = MOMENTS_PER_S * 3
    for first in range(0, len(samples), per_s):  # in parts: what was acknowledged is known at once
        await send(broker.address, PREFIX, samples[first : first + per_s], N_PARTITIONS, per_s=per_s, sent=sent)


def _growth(looks: list[Look]) -> list[str]:
    """From the outage's first half to its end."""
    middle, last = looks[len(looks) // 2], looks[-1]
    row = "  {:>6.0f} s {:>7.0f} MB {:>4} sockets {:>4} threads"
    for one in (looks[0], middle, last):
        print(row.format(one.at_s, one.rss_mb, one.n_sockets, one.n_threads))
    problems: list[str] = []
    for name, least in (("rss_mb", GROWTH_MB), ("n_sockets", GROWTH_SOCKETS), ("n_threads", GROWTH_THREADS)):
        if getattr(last, name) - getattr(middle, name) > least:
            problems.append(f"{name} grew from {getattr(middle, name)} to {getattr(last, name)}")
    return problems


def _often(said: str, seconds: float, everything: bool) -> list[str]:
    """What was said more than once a minute, numbers apart."""
    lines = [line for line in said.splitlines() if re.match(r"\d{4}-\d\d-\d\d ", line)]
    kinds: Counter[str] = Counter()
    for line in lines:
        level, _, text = line.partition(" ")[2].partition(" ")[2].partition(" ")
        if level in ("WARNING", "ERROR", "CRITICAL") and (everything or text.startswith("streams.")):
            kinds[f"{level} {re.sub(r'[0-9]+', 'N', text)}"] += 1
    print(f"  {len(lines)} lines, {len(kinds)} kinds of warnings and errors; the most frequent:")
    for kind, n_times in kinds.most_common(5):
        print(f"  {n_times:>6} {kind[:150]}")
    most = 1 + N_PARTITIONS + seconds / 60  # of each partition number, once
    return [f"{n_times} times: {kind}" for kind, n_times in kinds.items() if n_times > most]


def main() -> None:
    """Run the outages that are asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.guarantees.long_outage", description=__doc__)
    parser.add_argument("--kind", choices=("topic", "isr", "coordinator", "all"), default="all")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long each lasts")
    parser.add_argument("--everything", action="store_true", help="judge aiokafka's and Faust's own lines, too")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # our own clients', beside brokers that are away
    fetch_jars()
    problems: list[str] = []
    for kind in ("topic", "isr", "coordinator") if options.kind == "all" else (options.kind,):
        problems += asyncio.run(run(kind, options.seconds, everything=options.everything))
    for problem in problems:
        print(f"PROBLEM {problem[:500]}")
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
