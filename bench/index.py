"""Measures the index of results: insert rate, size, and query times with and without filters.

    python -m bench.index [--results 100000] [--dimensions 192] [--json FILE]

Vectors are random: every search compares all results that its filter leaves.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.join import machine
from syncline.index.rows import IndexEntry, IndexRow, pack
from syncline.index.store import Index
from syncline.wire.results import ModelInfo, ResultMember

MODEL = ModelInfo("bench", "1")
N_STREAMS = 16
STEP_MS = 1_000
BATCH = 1_000
N_QUERIES = 21


def main() -> None:
    """Measure, print a table, write the JSON file."""
    options = _options()
    generator = np.random.default_rng(1)
    with tempfile.TemporaryDirectory(prefix="syncline-bench-") as folder:
        with Index.create(Path(folder), "bench.") as index:
            report = {"machine": machine(), "results": options.results, "dimensions": options.dimensions}
            report |= _insert(index, generator, options.results, options.dimensions)
            report["queries_ms"] = _queries(index, generator, options.results, options.dimensions)
        report["bytes"] = sum(path.stat().st_size for path in Path(folder).iterdir())
    _print(report)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def _entries(generator: np.random.Generator, numbers: range, n_dimensions: int) -> Iterator[IndexEntry]:
    vectors = generator.standard_normal((len(numbers), n_dimensions))
    for number, vector in zip(numbers, vectors, strict=True):
        stream, start_ms = f"stream-{number % N_STREAMS}", number * STEP_MS
        members = tuple(
            ResultMember(name, name, f"urn:bench:{name}", f"{number}", f"media.{name}", number % 4, number, start_ms)
            for name in ("image", "text", "audio")
        )
        row = IndexRow(
            id=f"media.image/{number % 4}/{number}", stream=stream, start_ms=start_ms, end_ms=start_ms + 40,
            outcome="complete", missing=(), labels=tuple((f"label {i}", 0.2) for i in range(5)), members=members,
            model=MODEL,
        )  # fmt: skip
        yield IndexEntry(row, pack(vector.tolist()))


def _insert(index: Index, generator: np.random.Generator, n_results: int, n_dimensions: int) -> dict[str, float]:
    wall_s = cpu_s = 0.0
    for start in range(0, n_results, BATCH):
        batch = list(_entries(generator, range(start, min(start + BATCH, n_results)), n_dimensions))
        wall, cpu = time.perf_counter(), time.process_time()
        index.add(batch)
        wall_s, cpu_s = wall_s + time.perf_counter() - wall, cpu_s + time.process_time() - cpu
    return {"results_per_s": n_results / wall_s, "results_per_cpu_s": n_results / cpu_s}


def _queries(index: Index, generator: np.random.Generator, n_results: int, n_dimensions: int) -> dict[str, Any]:
    """Return median wall and CPU ms of each kind of query."""
    late_ms = n_results * 9 // 10 * STEP_MS
    filters: dict[str, dict[str, Any]] = {
        "all": {},
        "one stream of 16": {"stream": "stream-3"},
        "the last tenth": {"since_ms": late_ms},
        "stream and last tenth": {"stream": "stream-3", "since_ms": late_ms},
    }
    queries = [pack(generator.standard_normal(n_dimensions).tolist()) for _ in range(N_QUERIES)]
    return {name: _time(index, queries, given) for name, given in filters.items()}


def _time(index: Index, queries: list[bytes], filters: dict[str, Any]) -> dict[str, float]:
    walls: list[float] = []
    cpus: list[float] = []
    for query in queries:
        wall, cpu = time.perf_counter(), time.process_time()
        hits = index.search(MODEL, query, limit=10, **filters)
        walls.append((time.perf_counter() - wall) * 1_000)
        cpus.append((time.process_time() - cpu) * 1_000)
        if not hits:
            raise SystemExit(f"nothing found with {filters}: too few results to measure with")
    return {"p50": statistics.median(walls), "p50_cpu": statistics.median(cpus)}


def _print(report: dict[str, Any]) -> None:
    print(f"{report['results']} results of {report['dimensions']} numbers: {report['bytes'] / 1e6:.0f} MB")
    print(f"insert {report['results_per_s']:,.0f} a second, {report['results_per_cpu_s']:,.0f} a CPU second")
    print(f"{'query':<24} {'p50':>9} {'p50 CPU':>9}")
    for name, times in report["queries_ms"].items():
        print(f"{name:<24} {times['p50']:>6.0f} ms {times['p50_cpu']:>6.0f} ms")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.index", description=__doc__)
    parser.add_argument("--results", type=int, default=100_000, help="how many results to index")
    parser.add_argument("--dimensions", type=int, default=192, help="numbers of an embedding")
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
