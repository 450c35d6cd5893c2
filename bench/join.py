"""Compares the join's speed and completeness with Kafka Streams and Quix Streams on one broker.

    python -m bench.join [--moments 30000] [--joiners syncline kafka-streams quix-streams] [--json FILE]

Each backlog is produced first; then each joiner in turn reads all of it. See bench/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.joiners import JOINERS, Joiner
from bench.measure import N_PARTITIONS, Measured, create_topics_stamped, measure
from bench.records import Backlog, produce
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.contract import MEDIA_TOPICS

COLUMNS = "{:<15} {:>9} {:>8} {:>8} {:>8} {:>7} {:>7} {:>10} {:>10} {:>6}"


def main() -> None:
    """Measure, print a table, write the JSON file."""
    options = _options()
    joiners = {name: JOINERS[name]() for name in options.joiners}
    versions = {name: joiner.build() for name, joiner in joiners.items()}
    measured: list[Measured] = []
    with with_broker(options.brokers) as brokers:
        for share_dropped in options.dropped:
            backlog = Backlog(n_moments=options.moments, share_dropped=share_dropped)
            measured += asyncio.run(_compare(brokers, backlog, joiners, versions))
    if options.json is not None:
        report = {"machine": machine(), "moments": options.moments, "results": [row.export() for row in measured]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


async def _compare(
    brokers: str, backlog: Backlog, joiners: dict[str, Joiner], versions: dict[str, str]
) -> list[Measured]:
    prefix = f"bench{time.time_ns() // 1_000_000}."
    # Quix aligns topics by the record's timestamp only, so for all joiners that is event time here.
    await create_topics_stamped(brokers, [prefix + topic for topic in MEDIA_TOPICS], "CreateTime")
    await create_topics(brokers, TopicPlan(prefix=prefix, n_partitions=N_PARTITIONS))
    complete = await produce(brokers, prefix, backlog)
    print(f"\n{backlog.n_moments} moments, {backlog.share_dropped:.0%} of the events dropped, {len(complete)} complete")
    print(
        COLUMNS.format("", "sets/s", "found", "share", "partial", "mixed", "twice", "first-last", "start-last", "CPU")
    )
    rows: list[Measured] = []
    for name, joiner in joiners.items():
        await create_topics_stamped(brokers, [joiner.output(prefix)], "LogAppendTime")
        row = await measure(joiner, versions[name], brokers, prefix, complete, backlog.share_dropped)
        print(_line(row), flush=True)
        rows.append(row)
    return rows


def _line(row: Measured) -> str:
    counts = (row.n_found, f"{row.share_found:.1%}", row.n_partial, row.n_mixed, row.n_repeated)
    seconds = (f"{row.first_to_last_s:.1f} s", f"{row.start_to_last_s:.1f} s", f"{row.cpu_s:.0f} s")
    return COLUMNS.format(row.joiner, f"{row.sets_per_s:,.0f}", *counts, *seconds)


@contextmanager
def with_broker(given: str | None) -> Iterator[str]:
    """Yield the given broker, else start an Apache Kafka."""
    if given is not None:
        yield given
        return
    from tests.support.apache_kafka import ApacheKafka, fetch_jars

    fetch_jars()
    kafka = ApacheKafka()
    try:
        kafka.start()
        yield kafka.address
    finally:
        kafka.remove()


def machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "system": platform.platform(terse=True), "python": platform.python_version()}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.join", description=__doc__)
    parser.add_argument("--moments", type=int, default=30_000, help="moments in a backlog, three events each")
    parser.add_argument("--joiners", nargs="+", choices=list(JOINERS), default=list(JOINERS), help="which to measure")
    parser.add_argument("--dropped", nargs="+", type=float, default=[0.0, 0.01], help="shares of events, a run each")
    parser.add_argument("--brokers", help="host:port of a Kafka broker; without it one is started from Maven's jars")
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
