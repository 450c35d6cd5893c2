"""`python -m tests.guarantees`: runs with faults from seeds, judged; exits with 1 on a violation.

python -m tests.guarantees --broker tansu --runs 50 --seed 0 --json runs.json
python -m tests.guarantees --broker apache --runs 1 --seed 17         (repeats one run)
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.guarantees.faults import DECKS
from tests.guarantees.judging import judge_saved
from tests.guarantees.mutations import MUTATIONS
from tests.guarantees.plan import Plan, draw_plan
from tests.guarantees.results import RunResult, header, summary
from tests.guarantees.run import run_once
from tests.support.apache_kafka import fetch_jars
from tests.support.brokers import Apache, Tansu, TestBroker, remove_now, start_now


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    logging.disable(logging.CRITICAL)  # clients that lose their broker are part of it
    if options.judge is not None:
        well, lines = judge_saved(options.judge)
        _say("\n".join(lines))
        return int(not well)
    if options.broker != "tansu":
        fetch_jars()
    _say(header())
    results: list[RunResult] = []
    for result in _runs(options):
        _show(result)
        results.append(result)
    _say(summary(results))
    if options.json:
        options.json.write_bytes(msgspec.json.encode(results))
    return int(any(result.violations for result in results))


def _runs(options: argparse.Namespace) -> Iterator[RunResult]:
    """One run after the other; an Apache Kafka, which takes long to start, serves them all unless it is in doubt."""
    broker: TestBroker | None = None
    try:
        for seed in range(options.seed, options.seed + options.runs):
            if broker is None:
                broker = _make(options.broker)
                start_now(broker)
            result = _one_run(draw_plan(seed, options.broker), broker, options.mutate)
            yield result
            if options.broker == "tansu" or result.violations:
                remove_now(broker)
                broker = None
    finally:
        if broker is not None:
            remove_now(broker)


def _one_run(plan: Plan, broker: TestBroker, mutations: Sequence[str]) -> RunResult:
    try:
        return asyncio.run(run_once(plan, broker, mutations))
    except Exception as error:  # one run that cannot be made must not end a campaign, and must not pass either
        traceback.print_exc()
        return RunResult.failed(plan, error)


def _make(broker_kind: str) -> TestBroker:
    return Tansu() if broker_kind == "tansu" else Apache(3 if broker_kind == "apache3" else 1)


def _show(result: RunResult) -> None:
    _say(result.line())
    for violation in result.violations[:20]:
        _say(f"       ! {violation}")
    if result.saved:
        _say(f"       saved: {result.saved}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.guarantees", description=__doc__.splitlines()[0])
    parser.add_argument("--broker", choices=sorted(DECKS), default="tansu", help="what to run on [default: tansu]")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="how many seeds in a row [default: 5]")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first of them [default: 0]")
    parser.add_argument(
        "--mutate",
        action="append",
        default=[],
        choices=sorted(MUTATIONS),
        metavar="NAME",
        help="a worker that is broken",
    )
    parser.add_argument("--judge", type=Path, metavar="FOLDER", help="run nothing, judge what such a run has saved")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the runs there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
