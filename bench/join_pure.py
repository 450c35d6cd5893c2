"""Measures the pure join: co-timed items of three lanes, many streams, no Kafka and no model.

python bench/join_pure.py [--sets 30000] [--streams 16] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

from streams.join.items import Item
from streams.join.partition import PartitionJoin
from streams.join.settings import JoinSettings, StrategyName

LANES = ("image", "text", "audio")


def co_timed(n_sets: int, n_streams: int, period_ms: int = 100) -> list[Item]:
    """Return items of `n_sets` moments, round robin over the streams, 100 ms apart in each, jitter up to 40 ms."""
    items: list[Item] = []
    for k in range(n_sets):
        time_ms = 1_700_000_000_000 + k // n_streams * period_ms
        for place, lane in enumerate(LANES):
            at_ms = time_ms + (k * 7 + place * 13) % 41
            items.append(Item(f"s{k % n_streams}", lane, f"media.{lane}", k, at_ms, at_ms, 3 * k + place, at_ms))
    return items


def measure(items: list[Item], strategy: StrategyName, n_per_decide: int) -> dict[str, object]:
    """Run all items through a join that decides after every `n_per_decide` of them."""
    join = PartitionJoin(JoinSettings(strategy=strategy))
    n_sets = 0
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    for n, item in enumerate(items):
        join.add(item, n)
        if n % n_per_decide == n_per_decide - 1:
            n_sets += len(join.decide(n))
    n_sets += len(join.decide(len(items)))
    seconds, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
    return {
        "strategy": strategy,
        "items_per_decide": n_per_decide,
        "items": len(items),
        "sets": n_sets,
        "left": join.n_undecided,
        "seconds": round(seconds, 3),
        "sets_per_s": round(n_sets / seconds),
        "cpu_us_per_set": round(cpu_s / max(1, n_sets) * 1e6, 1),
    }


def main() -> None:
    """Measure every strategy, deciding after each item and after each 200."""
    parser = argparse.ArgumentParser(description="Measure the pure join.")
    parser.add_argument("--sets", type=int, default=30_000, help="complete sets to make (default 30000)")
    parser.add_argument("--streams", type=int, default=16, help="streams they are spread over (default 16)")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    items = co_timed(arguments.sets, arguments.streams)
    strategies: tuple[StrategyName, ...] = ("earliest", "nearest", "tumbling")
    rows = [measure(items, strategy, n) for strategy in strategies for n in (1, 200)]
    columns = list(rows[0])
    print("  ".join(f"{name:>16}" for name in columns))
    for row in rows:
        print("  ".join(f"{row[name]!s:>16}" for name in columns))
    report = {"python": platform.python_version(), "streams": arguments.streams, "rows": rows}
    print(json.dumps(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
