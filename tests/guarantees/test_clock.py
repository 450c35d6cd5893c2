"""A wall clock that jumps is one of the process that has it, and of nobody else; its other clocks go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.guarantees.clock import WallClock

DAY_S = 86_400
LOOKS = """
import sys, time
for line in sys.stdin:
    at_s = time.monotonic()
    time.sleep(0.01)
    print(time.time(), time.monotonic() - at_s, flush=True)
"""


@pytest.mark.skipif(bool(WallClock.why_not()), reason="needs a C compiler")
@pytest.mark.parametrize("days", [-400, 30])
def test_it_jumps_in_a_process_that_runs_and_back(tmp_path: Path, days: int) -> None:
    """The process sees it at its next look; it sleeps and counts time as before."""
    wall_clock = WallClock(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", LOOKS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **wall_clock.environment},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for ahead in (0, days, 0):
            wall_clock.put_ahead(ahead)
            process.stdin.write("look\n")
            process.stdin.flush()
            wall_s, slept_s = map(float, process.stdout.readline().split())
            assert abs(wall_s - time.time() - ahead * DAY_S) < DAY_S / 2
            assert 0 < slept_s < DAY_S / 2
        process.stdin.close()
