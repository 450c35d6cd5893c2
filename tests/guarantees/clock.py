"""A worker whose wall clock jumps by days; its other clocks, and everybody else's, go on.

By a library of our own that is preloaded: libfaketime 0.9.10 also bends what a process waits by (under Python 3.11
`time.sleep` raises then, and threads get their turn late), so that a worker with it is not one whose clock jumps.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from random import Random

from tests.guarantees.bursts import burst
from tests.guarantees.faults import Fault
from tests.guarantees.stage import Stage
from tests.support.worker_process import WorkerProcess

SOURCE = Path(__file__).with_name("wall_clock.c")
COMPILER = "cc"
DAYS = (-400, -30, -1, 1, 7, 30)
_AHEAD_S = struct.Struct("q")
_DAY_S = 86_400
_N_STEPS = 100


class WallClock:
    """The wall clock of processes with its `environment`; `folder` is where its library is built, and told the time."""

    def __init__(self, folder: Path) -> None:
        self._ahead, library = folder / "ahead", folder / "wall_clock.so"
        command = [COMPILER, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        self._ahead.write_bytes(_AHEAD_S.pack(0))
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._ahead)}

    @staticmethod
    def why_not() -> str:
        """Why there can be none here; "" where there can."""
        return "" if shutil.which(COMPILER) else f"no {COMPILER}"

    def put_ahead(self, days: int) -> None:
        """Have it be so many days ahead of the machine's from now on; behind where it is negative."""
        with self._ahead.open("r+b") as file:
            file.write(_AHEAD_S.pack(days * _DAY_S))


async def clock(stage: Stage, fault: Fault) -> None:
    """A worker is started anew; its clock jumps there and back while it works; then it is as the others again."""
    if why := WallClock.why_not():
        stage.words[fault] = f"left out: {why}"
        return
    with tempfile.TemporaryDirectory(prefix="syncline-clock-") as folder:
        wall_clock = WallClock(Path(folder))
        async with stage.pool.borrow(fault.victim) as worker:
            await _anew(stage, worker, wall_clock.environment)
            for number, days in enumerate((0, *Random(fault.victim).sample(DAYS, 2), 0)):
                wall_clock.put_ahead(days)
                await burst(stage, -1 - number - fault.victim * _N_STEPS)
            await _anew(stage, worker, {})


async def _anew(stage: Stage, worker: WorkerProcess, environment: dict[str, str]) -> None:
    await stage.pool.terminate(worker)
    worker.environment = environment
    worker.start()
    await stage.pool.until_ready(worker)
