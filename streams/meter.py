"""Measures of a worker that span several of its parts."""

from __future__ import annotations

import time
from collections.abc import Sequence

from streams.decisions.counters import Counters
from streams.decisions.records import Record, Task
from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from streams.join.items import SetDecision

STALL_BOUNDS_MS = (1, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)


class Meter:
    """The measures of one worker. Use it on the worker's event loop only."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.e2e_ms = Histogram(LATENCY_BOUNDS_MS)
        """By fused set, from its newest event's time to the broker's acknowledgement of the result."""
        self.pipeline_ms = Histogram(LATENCY_BOUNDS_MS)
        """By fused set, from the append of its last member to the acknowledgement: the worker's share."""
        self.recovery_ms = Histogram(LATENCY_BOUNDS_MS)
        """By partition number, from its assignment to the first record read."""
        self.loop_stall_ms = Histogram(STALL_BOUNDS_MS)
        """How late the event loop's timers are."""
        self.told: set[str] = set()
        """Messages that are logged only once and have been."""
        self.event_lag_ms: dict[str, int] = {}
        """By media topic, the age of the last read event when it was read."""

    def read(self, topic: str, records: Sequence[Record]) -> None:
        """Note decoded records of one topic."""
        item = records[-1].item
        if item is not None:
            self.event_lag_ms[topic] = _wall_ms() - item.time_ms

    def published(self, tasks: Sequence[Task]) -> None:
        """Note tasks whose results are on the broker, even if conversions are not finished."""
        now_ms = _wall_ms()
        for task in tasks:
            decision = task.decision
            if isinstance(decision, SetDecision) and task.failed is None:
                self.e2e_ms.add(now_ms - max([item.time_ms for item in decision.members]))
                self.pipeline_ms.add(now_ms - max([item.append_ms for item in decision.members]))


def _wall_ms() -> int:
    return int(time.time() * 1_000)
