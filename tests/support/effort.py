"""How much a law is tried: enough for a quick answer, or all that a machine without hurry tries."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("FULL_TESTS") == "1"
"""As in .ci/run."""


def n_runs(quick: int, full: int) -> int:
    """So many seeds: `SIMULATED_RUNS` (environment) if it is set, else `full` with `FULL_TESTS=1`."""
    if runs := os.environ.get("SIMULATED_RUNS"):
        return int(runs)
    return full if IS_FULL else quick
