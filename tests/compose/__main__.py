"""`python -m tests.compose`: docker-compose.yml is run, not parsed; exits with 1 where a step does not hold.

python -m tests.compose --json steps.json
python -m tests.compose --data-root FOLDER     (where an engine that is started for the run keeps its images: 13 GB)
python -m tests.compose --keep                 (leaves the containers, for whoever looks for a fault)

Where a step fails, what was sent and what the containers said stays in a folder, which is named.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.compose.engine import STANDIN_OVERRIDE, CannotRunError, Engine, engine
from tests.compose.report import Report, line, table
from tests.compose.scenario import Scenario
from tests.compose.stack import Stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return the exit code: 1 where a step failed, 2 where this machine cannot run containers."""
    options = _parser().parse_args(arguments)
    try:
        with engine(options.data_root) as found:
            report = _run(found, options.keep)
    except CannotRunError as error:
        _say(str(error))
        return 2
    _say(f"\n{report.engine}; base images: {report.base_images}\n\n{table(report.steps)}")
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return int(not report.held)


def _run(found: Engine, keep: bool) -> Report:
    stack = Stack(found.compose, [STANDIN_OVERRIDE] if found.stand_ins else [], _free_port())
    folder = Path(tempfile.mkdtemp(prefix="syncline-compose-"))
    scenario = Scenario(stack, folder, lambda step: _say(line(step)))
    with stack.watched():
        try:
            stack.down()  # what a run that was killed has left
            scenario.run()
        finally:
            if not keep:
                stack.down()
    base_images = "stand-ins" if found.stand_ins else "pulled"
    report = Report(engine=found.version, base_images=base_images, steps=tuple(scenario.steps))
    if report.held:
        shutil.rmtree(folder)
    else:
        _say(f"what was sent and what the containers said: {folder}")
    return report


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the steps there")
    parser.add_argument("--data-root", type=Path, help="where an engine started for the run keeps its images")
    parser.add_argument("--keep", action="store_true", help="leave the containers when the run ends")
    return parser


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
