"""How sure a worker is that the topics have as many partitions as it has counted.

Producers learn of new partitions before it does. So before a record is called misrouted, the brokers are asked again:
where they say another number, the worker halts, and whoever begins anew judges the record (streams/kafka/watch.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

GIVE_UP_MS = 5_000
"""Where no broker answers for so long, the number that was counted holds."""


class Counted:
    """What the question for the number of partitions has come to; `now_ms` is the worker's monotonic clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self._confirmed_ms = now_ms()
        self.wanted = asyncio.Event()
        """Somebody wants to know it now."""

    def confirm(self, asked_ms: int) -> None:
        """Every node, asked at `asked_ms` or later, has said the number that was counted."""
        self._confirmed_ms = asked_ms
        self.wanted.clear()

    def held(self, read_ms: int) -> bool:
        """Whether the number still held when all was placed that was read by `read_ms`; else it is asked for."""
        if self._confirmed_ms >= read_ms:
            return True
        self.wanted.set()
        return self.now_ms() - read_ms >= GIVE_UP_MS
