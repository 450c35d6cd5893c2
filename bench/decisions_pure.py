"""Measures join and decisions together in memory: no Kafka, no model, immediate answers.

python bench/decisions_pure.py [--sets 30000] [--streams 16] [--fetch 200] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.join_pure import LANES, co_timed
from streams.decisions.entries import LogRecord
from streams.decisions.owner import PartitionOwner
from streams.decisions.records import Record
from streams.join.settings import JoinSettings


class InMemory:
    """Carries out an owner's commands at once; the decision log is a list."""

    def __init__(self, settings: JoinSettings) -> None:
        self.log: list[bytes] = []
        self.n_sets = self.n_log_bytes = 0
        self.owner = PartitionOwner(settings, "bench", 1, {f"media.{lane}": 0 for lane in LANES}, 0)
        self.step(0)
        recovery = self.owner.recovery(0, 1, 0)
        request = next(recovery)
        with suppress(StopIteration):
            recovery.send([LogRecord(at, self.log[at]) for at in range(request.start, request.stop)])

    def step(self, now_ms: int) -> bool:
        """Run one round of the loop; return whether anything was done."""
        owner = self.owner
        owner.on_heartbeat(now_ms)
        owner.tick(now_ms)
        commands = owner.take_commands()
        if commands.append is not None:
            number, data = commands.append
            self.log.append(data)
            self.n_log_bytes += len(data)
            owner.on_appended(number, ok=True, now_ms=now_ms)
            owner.on_log([LogRecord(len(self.log) - 1, data)], now_ms)
        if commands.fuse:
            self.n_sets += len(commands.fuse)
            owner.on_fused(commands.fuse)
        if commands.publish:
            owner.on_published(commands.publish)
        return bool(commands.append or commands.fuse or commands.publish)


def measure(n_sets: int, n_streams: int, n_fetch: int) -> dict[str, object]:
    """Feed three topics in turn, `n_fetch` records at a time, until every set is published and acknowledged."""
    topics: dict[str, list[Record]] = {f"media.{lane}": [] for lane in LANES}
    for item in co_timed(n_sets, n_streams):
        topics[item.topic].append(Record(item.offset, item, None, 1_000, None))
    world = InMemory(JoinSettings(max_held_events=10_000))
    start_s = time.perf_counter()
    for start in range(0, n_sets, n_fetch):
        _feed(world, topics, start, start + n_fetch)
    while world.step(n_sets):
        pass
    seconds = time.perf_counter() - start_s
    return {
        "sets": world.n_sets,
        "held": world.owner.in_flight.held.events,
        "entries": len(world.log),
        "log_bytes_per_set": round(world.n_log_bytes / n_sets),
        "seconds": round(seconds, 3),
        "sets_per_s": round(world.n_sets / seconds),
    }


def _feed(world: InMemory, topics: dict[str, list[Record]], start: int, stop: int) -> None:
    for topic, records in topics.items():
        chunk: Sequence[Record] = records[start:stop]
        world.owner.on_records(topic, chunk, start)
        world.step(start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the join and the decisions together, in memory.")
    parser.add_argument("--sets", type=int, default=30_000, help="complete sets to make (default 30000)")
    parser.add_argument("--streams", type=int, default=16, help="streams they are spread over (default 16)")
    parser.add_argument("--fetch", type=int, default=200, help="records of a topic at a time (default 200)")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    row = measure(arguments.sets, arguments.streams, arguments.fetch)
    report = {"python": platform.python_version(), "streams": arguments.streams, "fetch": arguments.fetch} | row
    print(json.dumps(report, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
