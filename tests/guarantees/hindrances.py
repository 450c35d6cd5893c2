"""What may hold a worker up when it is told to stop: brokers that are away, topics that take nothing, a long freeze."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager

BACK_S = 10.0
"""For so long after a broker or a worker is back, some may still be on their way: connections, leaders, the group."""

EVERYBODY = "everybody"


class Hindrances:
    """Those of one run, of which several may be under way at a time."""

    def __init__(self) -> None:
        self._under_way = Counter[object]()
        self._over_s = defaultdict[object, float](lambda: -math.inf)

    @contextmanager
    def one(self, aftermath_s: float = 0.0, whom: object = EVERYBODY) -> Generator[None]:
        """One is under way, and `whom` it holds up feels it for so long afterwards."""
        self._under_way[whom] += 1
        try:
            yield
        finally:
            self._under_way[whom] -= 1
            self._over_s[whom] = max(self._over_s[whom], time.monotonic() + aftermath_s)

    def felt_since(self, since_s: float, who: object = EVERYBODY) -> bool:
        """Whether `who` feels one now, or did at any time from `since_s` (monotonic) on."""
        return any(self._under_way[whom] > 0 or self._over_s[whom] >= since_s for whom in {EVERYBODY, who})
