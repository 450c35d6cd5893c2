"""Runs one joiner over a backlog and measures what it wrote, by the broker's own clock."""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.joiners import Joiner
from syncline.subprocess_guard import Child
from syncline.wire.contract import MODALITIES

N_PARTITIONS = 4
QUIET_S = 15.0
"""A joiner is done after so long without output."""
START_LIMIT_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One joiner's results for one backlog.

    Found: complete moments with a result of exactly their three events. A mixed result has events of several moments, a
    partial one lacks some. Seconds are between append times of results. `cpu_s` is the process's CPU time from start to
    end, which other work on the machine changes little.
    """

    joiner: str
    version: str
    share_dropped: float
    n_complete_moments: int
    n_found: int
    n_partial: int
    n_mixed: int
    n_repeated: int
    first_to_last_s: float
    start_to_last_s: float
    cpu_s: float

    @property
    def share_found(self) -> float:
        """The share of complete moments that were found."""
        return self.n_found / self.n_complete_moments

    @property
    def sets_per_s(self) -> float:
        """Results per second, from the first to the last."""
        n_results = self.n_found + self.n_partial + self.n_mixed + self.n_repeated
        return n_results / self.first_to_last_s if self.first_to_last_s else 0.0

    def export(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "share_found": self.share_found, "sets_per_s": self.sets_per_s}


async def create_topics_stamped(brokers: str, topics: list[str], stamp: str) -> None:
    """Create topics with the producer's timestamps (`stamp` CreateTime) or the broker's (LogAppendTime)."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        config = {"message.timestamp.type": stamp}
        await admin.create_topics([NewTopic(topic, N_PARTITIONS, 1, topic_configs=config) for topic in topics])
    finally:
        await admin.close()


async def measure(
    joiner: Joiner, version: str, brokers: str, prefix: str, complete: set[int], share_dropped: float
) -> Measured:
    """Start `joiner`, wait until it is done, stop it, and read what it wrote."""
    topic, cpu_before_s = joiner.output(prefix), _children_cpu_s()
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as state:
        started_s = time.time()
        child = Child(joiner.command(brokers, prefix, Path(state)), env=joiner.env(prefix))
        try:
            async with _consumer(brokers) as consumer:
                await _until_done(child, consumer, topic, started_s)
                results = await _read(consumer, topic)
        finally:
            child.stop(grace_s=10)
    kinds = count_results([joiner.moments(value) for _, value in results], complete)
    first_ms, last_ms = min(ms for ms, _ in results), max(ms for ms, _ in results)
    return Measured(
        joiner=joiner.name,
        version=version,
        share_dropped=share_dropped,
        n_complete_moments=len(complete),
        first_to_last_s=(last_ms - first_ms) / 1_000,
        start_to_last_s=last_ms / 1_000 - started_s,
        cpu_s=_children_cpu_s() - cpu_before_s,
        **kinds,
    )


def _children_cpu_s() -> float:
    """Return the CPU seconds of all ended child processes: between two calls only the joiner ends."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _consumer(brokers: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False, max_partition_fetch_bytes=2**22)


def _partitions(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(N_PARTITIONS)]


async def _until_done(child: Child, consumer: AIOKafkaConsumer, topic: str, started_s: float) -> None:
    partitions = _partitions(topic)
    n_results, grew_s = 0, time.time()
    while True:
        await asyncio.sleep(0.5)  # rarely, to leave the cores to the joiner and the broker
        n_now = sum((await consumer.end_offsets(partitions)).values())
        if n_now > n_results:
            n_results, grew_s = n_now, time.time()
        quiet_s = time.time() - grew_s
        if child.returncode is not None or (not n_results and time.time() - started_s > START_LIMIT_S):
            raise SystemExit(f"{topic}: the joiner wrote {n_results} results, then ended or hung:\n{child.output()}")
        if n_results and quiet_s > QUIET_S:
            return


async def _read(consumer: AIOKafkaConsumer, topic: str) -> list[tuple[int, bytes]]:
    """Read all results as (append time in ms, value)."""
    partitions = _partitions(topic)
    ends = await consumer.end_offsets(partitions)
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    results: list[tuple[int, bytes]] = []
    while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
        for records in (await consumer.getmany(timeout_ms=1_000)).values():
            results += [(record.timestamp, record.value or b"") for record in records]
    return results


def count_results(results: list[tuple[int, ...]], complete: set[int]) -> dict[str, int]:
    """Count results by kind. A result is its members' moments; `complete` are the moments that can be found."""
    found: set[int] = set()
    n_partial = n_mixed = n_repeated = 0
    for members in results:
        moment = members[0]
        if len(set(members)) > 1:
            n_mixed += 1
        elif len(members) < len(MODALITIES):
            n_partial += 1
        elif moment in found or moment not in complete:
            n_repeated += 1
        else:
            found.add(moment)
    return {"n_found": len(found), "n_partial": n_partial, "n_mixed": n_mixed, "n_repeated": n_repeated}
