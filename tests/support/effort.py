"""How many seeds a law is tried on: enough for a quick answer, or all that a machine without hurry tries."""

from __future__ import annotations

import os


def n_runs(quick: int, full: int) -> int:
    """So many seeds: `SIMULATED_RUNS` (environment) if it is set, else `full` with `FULL_TESTS=1`, as in .ci/run."""
    if runs := os.environ.get("SIMULATED_RUNS"):
        return int(runs)
    return full if os.environ.get("FULL_TESTS") == "1" else quick
