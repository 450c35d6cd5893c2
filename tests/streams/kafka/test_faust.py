"""streams/kafka/faust.py: importing Faust leaves the program that imports it alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import os, sys
before = dict(os.environ), list(sys.argv)
import streams.kafka.faust
assert (dict(os.environ), sys.argv) == before, (set(os.environ) - set(before[0]), sys.argv)
print("left alone")
"""


def test_importing_faust_reads_no_arguments_and_writes_no_environment() -> None:
    """Its own import would take `--datadir` and `-L` from whatever program it is in."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, "--datadir", "/nowhere", "-L", "gevent"],
        capture_output=True, text=True, cwd=ROOT, env={"F_DATADIR": "/elsewhere"}, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "left alone\n"), done.stderr
