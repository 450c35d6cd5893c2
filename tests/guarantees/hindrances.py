"""What may hold a worker up when it is told to stop: brokers that are away, topics that take nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import contextmanager


class Hindrances:
    """Those of one run, of which several may be under way at a time."""

    def __init__(self) -> None:
        self._under_way = 0
        self._over_s = -math.inf

    @contextmanager
    def one(self, aftermath_s: float = 0.0) -> Generator[None]:
        """One is under way, and is felt for so long afterwards."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._over_s = max(self._over_s, time.monotonic() + aftermath_s)

    def felt_since(self, since_s: float) -> bool:
        """Whether one is felt now, or was at any time from `since_s` (monotonic) on."""
        return self._under_way > 0 or self._over_s >= since_s
