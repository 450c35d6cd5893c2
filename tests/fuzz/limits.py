"""How much time one input may take: the law that no input hangs, for the fuzzer and for the replay of its corpus."""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_CPU_S = 1.0
"""For one input. CPU time, since machines that test are busy."""


def within_limits(target: Callable[[bytes], None], data: bytes) -> None:
    """Run a target on one input; fails where it takes too long."""
    begun_s = time.process_time()
    target(data)
    took_s = time.process_time() - begun_s
    assert took_s < MAX_CPU_S, f"{len(data)} bytes took {took_s:.2f} s of CPU time"
