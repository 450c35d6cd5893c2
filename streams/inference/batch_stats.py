"""Statistics of the batcher: sizes, fill, waits and why each batch left."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from streams.histogram import Histogram

FlushReason = Literal["full", "cost", "timeout", "idle", "drain"]
"""Why a batch left: it had `max_items`; the next item would break `max_cost`; the first item had waited
`max_wait_ms`; the device was free and no wait is set; the batcher is being drained."""

WAIT_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Inclusive upper bounds of the buckets of waits; one more bucket takes the rest."""
RUN_BOUNDS_MS = (*WAIT_BOUNDS_MS, 10_000, 30_000, 60_000)


class BatchStats:
    """Counters of one batcher since its start."""

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self.n_batches = 0
        self.n_items = 0
        self.n_failed_items = 0
        self.n_failed_runs = 0
        self.n_times_down = 0
        self.busy_s = 0.0
        self.sizes: Counter[int] = Counter()
        self.reasons: Counter[FlushReason] = Counter()
        self.waits_ms = Histogram(WAIT_BOUNDS_MS)
        self.runs_ms = Histogram(RUN_BOUNDS_MS)
        """Each call of the model, failed ones included."""

    def left(self, waits_s: list[float], reason: FlushReason) -> None:
        """Count a batch that leaves for the device, with each item's wait since its arrival."""
        self.n_batches += 1
        self.n_items += len(waits_s)
        self.sizes[len(waits_s)] += 1
        self.reasons[reason] += 1
        for wait_s in waits_s:
            self.waits_ms.add(wait_s * 1_000)

    @property
    def fill(self) -> float:
        """The mean share of `max_items` that batches had, in [0, 1]."""
        return self.n_items / (self.n_batches * self._max_items) if self.n_batches else 0.0

    def export(self) -> dict[str, Any]:
        """Return all counters as plain values, for metrics and logs."""
        return {
            "n_batches": self.n_batches,
            "n_items": self.n_items,
            "n_failed_items": self.n_failed_items,
            "n_failed_runs": self.n_failed_runs,
            "n_times_down": self.n_times_down,
            "busy_s": self.busy_s,
            "fill": self.fill,
            "sizes": dict(sorted(self.sizes.items())),
            "reasons": dict(self.reasons),
            "wait_s_sum": self.waits_ms.total / 1_000,
            "waits_ms": dict(zip([*map(str, WAIT_BOUNDS_MS), "more"], self.waits_ms.counts, strict=True)),
        }
