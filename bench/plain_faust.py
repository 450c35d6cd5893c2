"""Compares a plain Faust application with our workers, killed by one schedule: what the decision log is for.

    python -m bench.plain_faust [--seconds 120] [--kill-every-s 15] [--json FILE]

The same live events, two processes each, on one Apache Kafka; kill -9 in turn. See bench/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.fleet import Fleet, FleetMember, worker_command
from bench.join import machine, with_broker
from bench.measure import create_topics_stamped
from bench.outcomes import Follower, Judged, Outcomes, record_number
from bench.records import PERIOD_MS, Backlog, LiveProducer
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.contract import MODALITIES
from syncline.wire.events import MediaEvent

N_PARTITIONS = 4
N_STREAMS = 16
SESSION_TIMEOUT_MS = 6_000
WARM_UP_S = 25.0
"""How long events flow before the first that counts, so that both processes have joined."""
COOL_DOWN_S = 20.0
"""How long events flow after the last that counts, so that nothing waits for later ones."""
QUIET_S = 15.0
START_LIMIT_S = 60.0
COLUMNS = ("sent", "complete", "partial", "lost", "doubled", "torn", "mixed", "repeats", "out_of_order")
ROW = "{:<10}" + " {:>12}" * (len(COLUMNS) + 1)
MOMENTS_PER_S = N_STREAMS * 1_000 / PERIOD_MS


class Contender(ABC):
    """Two processes that read `media.*` of a prefix, and how their results are read."""

    name: str

    @abstractmethod
    def members(self, brokers: str, prefix: str, folder: Path) -> list[FleetMember]:
        """Return the processes, not started."""

    @abstractmethod
    def follow(self, brokers: str, prefix: str, outcomes: Outcomes) -> Coroutine[Any, Any, None]:
        """Read results until cancelled."""


class SynclineContender(Contender):
    """`syncline worker --model null`."""

    name = "syncline"

    def members(self, brokers: str, prefix: str, folder: Path) -> list[FleetMember]:  # noqa: ARG002  it keeps no state
        """Two workers."""
        command = worker_command(brokers, prefix, session_timeout_ms=SESSION_TIMEOUT_MS, heartbeat_ms=1_000)
        return [FleetMember(f"{self.name}-{number}", command) for number in range(2)]

    def follow(self, brokers: str, prefix: str, outcomes: Outcomes) -> Coroutine[Any, Any, None]:
        """Read fused results, unfused events and dead letters."""
        return Follower(brokers, prefix, N_PARTITIONS, outcomes).run()


class PlainFaust(Contender):
    """bench/plain_app.py."""

    name = "faust"

    def members(self, brokers: str, prefix: str, folder: Path) -> list[FleetMember]:
        """Return two Faust workers, each with its own data folder."""
        env = {**os.environ, "PLAIN_BROKERS": brokers, "PLAIN_PREFIX": prefix, "PLAIN_PARTITIONS": str(N_PARTITIONS)}
        return [FleetMember(f"{self.name}-{number}", self._command(folder / str(number)), env) for number in range(2)]

    def _command(self, folder: Path) -> list[str]:
        faust = [sys.executable, "-m", "faust", "--app", "bench.plain_app", "--datadir", str(folder)]
        return [*faust, "worker", "--without-web", "--loglevel", "warn"]

    async def follow(self, brokers: str, prefix: str, outcomes: Outcomes) -> None:
        """Read one topic of JSON."""
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
        async with consumer:
            consumer.assign([TopicPartition(f"{prefix}plain", number) for number in range(N_PARTITIONS)])
            async for record in consumer:
                said = json.loads(record.value)
                members = [record_number(int(moment), modality) for modality, moment in said["members"].items()]
                outcomes.fused(record.key.decode(), members, said["start_ms"])


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcomes of one run. `n_ended`: processes that ended by themselves and were restarted."""

    name: str
    n_kills: int
    n_ended: int
    judged: Judged

    def line(self) -> str:
        """Return a row of the table."""
        return ROW.format(self.name, *(f"{getattr(self.judged, name):,}" for name in COLUMNS), self.n_kills)

    def export(self) -> dict[str, object]:
        """As plain values."""
        return {"name": self.name, "kills": self.n_kills, "ended": self.n_ended, **self.judged.export()}


CONTENDERS: dict[str, type[Contender]] = {one.name: one for one in (PlainFaust, SynclineContender)}


class CountedOutcomes(Outcomes):
    """Outcomes of the moments that count, without warm-up and cool-down."""

    def __init__(self, counted: range) -> None:
        super().__init__(counted.stop)
        self._counted = counted
        self.newest_moment = 0
        self.last_s = time.monotonic()

    def on_sent(self, moment: int, event: MediaEvent) -> None:
        """Note a delivered event."""
        self.newest_moment = max(moment, self.newest_moment)
        if moment in self._counted:
            self.sent(record_number(moment, event.modality))

    def fused(self, stream: str, records: Any, start_ms: int) -> None:
        """Note a result."""
        if any(record // len(MODALITIES) in self._counted for record in records):
            self.last_s = time.monotonic()
            super().fused(stream, records, start_ms)


async def compare(brokers: str, contender: Contender, backlog: Backlog, kill_every_s: float) -> Compared:
    """Run one contender over `backlog`."""
    prefix = f"plain{time.time_ns() // 1_000_000}."
    await create_topics(brokers, TopicPlan(prefix=prefix, n_partitions=N_PARTITIONS))
    await create_topics_stamped(brokers, [f"{prefix}plain"], "LogAppendTime")
    counted = range(round(WARM_UP_S * MOMENTS_PER_S), backlog.n_moments - round(COOL_DOWN_S * MOMENTS_PER_S))
    outcomes = CountedOutcomes(counted)
    producer = LiveProducer(brokers, prefix, backlog, outcomes.on_sent)
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        members = contender.members(brokers, prefix, Path(folder))
        async with Fleet(members) as fleet, asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(fleet.supervise())]
            background.append(tasks.create_task(contender.follow(brokers, prefix, outcomes)))
            sending = tasks.create_task(producer.run())
            await _until(lambda: outcomes.newest_moment >= counted.start)
            killing = tasks.create_task(_kill(fleet, outcomes, kill_every_s))
            await _until(lambda: outcomes.newest_moment >= counted.stop)
            killing.cancel()
            await sending
            await _until(lambda: time.monotonic() - outcomes.last_s > QUIET_S)
            for task in background:
                task.cancel()
    return Compared(contender.name, fleet.n_kills, fleet.n_ended, outcomes.judge())


async def _kill(fleet: Fleet, outcomes: CountedOutcomes, every_s: float) -> None:
    try:
        async with asyncio.timeout(START_LIMIT_S):
            await _until(lambda: outcomes.n_decided > 0)
    except TimeoutError:
        said = "\n".join(member.output()[-2_000:] for member in fleet.members)
        raise SystemExit(
            f"no result after {START_LIMIT_S:.0f} s: a comparison would be worth nothing\n{said}"
        ) from None
    await fleet.kill_in_turn(every_s)


async def _until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110  what comes from the broker sets no event of ours
        await asyncio.sleep(0.1)


def main() -> None:
    """Run both, print a table, write the JSON file; exit code 1 if ours breaks a guarantee."""
    options = _options()
    n_moments = round((WARM_UP_S + options.seconds + COOL_DOWN_S) * MOMENTS_PER_S)
    backlog = Backlog(n_moments=n_moments, n_streams=N_STREAMS, n_bytes=100, share_dropped=options.dropped)
    rows: list[Compared] = []
    print(ROW.format("", *COLUMNS, "kills"), flush=True)
    with with_broker(options.brokers) as brokers:
        for name in options.contenders:
            rows.append(asyncio.run(compare(brokers, CONTENDERS[name](), backlog, options.kill_every_s)))
            print(rows[-1].line(), flush=True)
    if options.json is not None:
        report = {"machine": machine(), "seconds": options.seconds, "results": [row.export() for row in rows]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    broken = [row for row in rows if row.name == SynclineContender.name and (row.judged.violations or row.judged.torn)]
    if broken:
        raise SystemExit(f"syncline: {broken[0].judged}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.plain_faust", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long events that count are sent")
    parser.add_argument("--kill-every-s", type=float, default=15.0, help="seconds between two kills, in turn")
    parser.add_argument("--dropped", type=float, default=0.02, help="share of events that are never sent")
    parser.add_argument("--contenders", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS))
    parser.add_argument("--brokers", help="host:port of a Kafka broker; without it one is started from Maven's jars")
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
