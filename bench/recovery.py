"""Measures how long a worker's streams stand still when it is killed.

    python -m bench.recovery [--kills 20] [--session-timeout-ms 6000] [--json FILE]

Two workers share 16 live streams on an Apache Kafka. They are ended with kill -9 in turn. The times end with the first
result, and with the first result of each of its streams, for events sent after the kill. Then it is restarted, and so
on. See bench/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.fleet import Fleet, FleetMember, worker_command
from bench.join import machine, with_broker
from bench.records import Backlog, LiveProducer
from streams.settings import WorkerSettings
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.contract import FUSED
from syncline.wire.events import MediaEvent
from syncline.wire.placement import partition_for
from syncline.wire.results import decode_fused

N_PARTITIONS = 4
N_STREAMS = 16
MARGIN_S = 2.0
"""Allowance beside the session timeout."""
LIMIT_S = 120.0
STEADY_S = 1.5
ROW = "{:>4} {:>10} {:>10} {:>10} {:>10}"


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds from a kill to the new assignment of its partitions, to the first result, and to one of every stream."""

    n_streams: int
    assigned_s: float
    first_s: float
    all_s: float


@dataclass
class ResultFlow:
    """The times at which moments were sent and streams' results came."""

    sent_s: dict[int, float] = field(default_factory=dict[int, float])
    newest_s: dict[str, float] = field(default_factory=dict[str, float])
    """By stream, when the newest event with a result was sent."""
    arrived_s: dict[str, float] = field(default_factory=dict[str, float])
    """By stream, when that result came."""

    def on_sent(self, moment: int, event: MediaEvent) -> None:  # noqa: ARG002  the producer tells it
        """Note a delivered event of this moment."""
        self.sent_s.setdefault(moment, time.monotonic())

    async def read(self, brokers: str, prefix: str) -> None:
        """Follow the results until cancelled."""
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest", fetch_max_wait_ms=15)
        async with consumer:
            consumer.assign([TopicPartition(prefix + FUSED, number) for number in range(N_PARTITIONS)])
            async for record in consumer:
                result = decode_fused(record.value)
                moment = int(result.members[0].event_id)
                sent_s = self.sent_s.get(moment, 0.0)
                if sent_s > self.newest_s.get(result.stream, 0.0):
                    self.newest_s[result.stream], self.arrived_s[result.stream] = sent_s, time.monotonic()

    def is_steady(self) -> bool:
        """Tell whether every stream has a result of a recent event."""
        since_s = time.monotonic() - STEADY_S
        return len(self.newest_s) == N_STREAMS and all(sent_s > since_s for sent_s in self.newest_s.values())


async def run(brokers: str, n_kills: int, settings: dict[str, object]) -> list[Recovery]:
    """Kill `n_kills` times; return each recovery."""
    prefix = f"recovery{time.time_ns() // 1_000_000}."
    await create_topics(brokers, TopicPlan(prefix=prefix, n_partitions=N_PARTITIONS))
    flow, found = ResultFlow(), list[Recovery]()
    backlog = Backlog(n_moments=10**9, n_streams=N_STREAMS, n_bytes=100)
    producer = LiveProducer(brokers, prefix, backlog, flow.on_sent)
    command = worker_command(brokers, prefix, **settings)
    async with (
        Fleet([FleetMember(name, command) for name in ("first", "second")]) as fleet,
        asyncio.TaskGroup() as tasks,
    ):
        reading = tasks.create_task(flow.read(brokers, prefix))
        sending = tasks.create_task(producer.run())
        print(ROW.format("kill", "assigned", "first", "all", "streams"), flush=True)
        for number in range(n_kills):
            victim, other = fleet.members[number % 2], fleet.members[(number + 1) % 2]
            found.append(await _kill(flow, victim, other))
            print(_line(number + 1, found[-1]), flush=True)
            victim.start()
        producer.stop()
        await sending
        reading.cancel()
    return found


async def _kill(flow: ResultFlow, victim: FleetMember, other: FleetMember) -> Recovery:
    for member in (victim, other):
        await member.until_ready()
    await _until(flow.is_steady)
    mine = await _partitions(victim)
    streams = {name for name in flow.newest_s if partition_for(name.encode(), N_PARTITIONS) in mine}
    if not streams:
        raise SystemExit(f"{victim.name} owns no stream: {mine}")
    killed_s = time.monotonic()
    victim.kill()
    assigning = asyncio.create_task(_until_assigned(other))
    await _until(lambda: all(flow.newest_s[stream] > killed_s for stream in streams))
    assigned_s = await assigning
    flows_s = [flow.arrived_s[stream] - killed_s for stream in streams]
    return Recovery(len(streams), assigned_s - killed_s, min(flows_s), max(flows_s))


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not done():  # noqa: ASYNC110  what comes from the broker sets no event of ours
            await asyncio.sleep(0.005)


async def _until_assigned(member: FleetMember) -> float:
    while len(await _partitions(member)) < N_PARTITIONS:  # noqa: ASYNC110  a worker is asked, it tells nobody
        await asyncio.sleep(0.05)
    return time.monotonic()


async def _partitions(member: FleetMember) -> set[int]:
    """Return the partition numbers that a worker owns."""
    text = await member.get("/metrics") or ""
    return {int(number) for number in re.findall(r'^syncline_held_records\{partition="(\d+)"\}', text, re.MULTILINE)}


def _line(number: int | str, one: Recovery) -> str:
    return ROW.format(number, f"{one.assigned_s:.2f} s", f"{one.first_s:.2f} s", f"{one.all_s:.2f} s", one.n_streams)


def summary(found: list[Recovery], session_timeout_ms: int) -> dict[str, float]:
    """Return median and 90th percentile, s, and the median's limit."""
    first, every = sorted(one.first_s for one in found), sorted(one.all_s for one in found)
    return {
        "kills": len(found),
        "first_median_s": statistics.median(first),
        "first_p90_s": _quantile(first, 0.9),
        "all_median_s": statistics.median(every),
        "all_p90_s": _quantile(every, 0.9),
        "limit_s": session_timeout_ms / 1_000 + MARGIN_S,
    }


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Measure, print a table, write the JSON file; exit code 1 if the median is not below the limit."""
    options = _options()
    heartbeat_ms = options.heartbeat_ms or min(WorkerSettings().heartbeat_ms, options.session_timeout_ms // 3)
    settings: dict[str, object] = {"session_timeout_ms": options.session_timeout_ms, "heartbeat_ms": heartbeat_ms}
    with with_broker(options.brokers) as brokers:
        found = asyncio.run(run(brokers, options.kills, settings))
    totals = summary(found, options.session_timeout_ms)
    print(" ".join(f"{name}={value:.2f}" for name, value in totals.items()))
    if options.json is not None:
        report = {"machine": machine(), **totals, "each": [asdict(one) for one in found]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if totals["all_median_s"] >= totals["limit_s"]:
        raise SystemExit("the median is not below the limit")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="how often a worker is killed")
    parser.add_argument("--session-timeout-ms", type=int, default=6_000, help="Apache Kafka takes no less than 6,000")
    parser.add_argument("--heartbeat-ms", type=int, help="if not given: the default, or a third of the timeout")
    parser.add_argument("--brokers", help="host:port of a Kafka broker; without it one is started from Maven's jars")
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
