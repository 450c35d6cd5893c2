"""Measures of one worker that span several of its parts. What a part counts for itself stays with it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from streams.decisions.counters import Counters
from streams.decisions.records import Record, Task
from streams.histogram import LATENCY_BOUNDS_MS, Histogram
from streams.join.items import SetDecision

STALL_BOUNDS_MS = (1, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)


class Meter:
    """Used by the worker's event loop alone."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.e2e_ms = Histogram(LATENCY_BOUNDS_MS)
        """Of each fused set: from its newest event's time to the broker's acknowledgement of the result."""
        self.pipeline_ms = Histogram(LATENCY_BOUNDS_MS)
        """The same from the append of the member that came last: the worker's own part of it, and its waiting."""
        self.recovery_ms = Histogram(LATENCY_BOUNDS_MS)
        """From an assignment to the first record that is read, one value a partition number."""
        self.loop_stall_ms = Histogram(STALL_BOUNDS_MS)
        """How late timers of the event loop are."""
        self.told: set[str] = set()
        """What was said in the log, to be said once."""
        self.event_lag_ms: dict[str, int] = {}
        """By media topic: the age of the event that was read last, by its own time, when it was read."""

    def read(self, topic: str, records: Sequence[Record]) -> None:
        """These records of one topic have been decoded."""
        item = records[-1].item
        if item is not None:
            self.event_lag_ms[topic] = _wall_ms() - item.time_ms

    def published(self, tasks: Sequence[Task]) -> None:
        """The results of these tasks are on the broker, whatever is still being converted."""
        now_ms = _wall_ms()
        for task in tasks:
            decision = task.decision
            if isinstance(decision, SetDecision) and task.failed is None:
                self.e2e_ms.add(now_ms - max([item.time_ms for item in decision.members]))
                self.pipeline_ms.add(now_ms - max([item.append_ms for item in decision.members]))


def _wall_ms() -> int:
    return int(time.time() * 1_000)
