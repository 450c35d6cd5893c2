"""What the batcher did: sizes, waits and why each batch left."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from streams.histogram import Histogram

FlushReason = Literal["full", "cost", "timeout", "idle", "drain"]
"""Why a batch left: it had `max_items`; the next item would break `max_cost`; the first item had waited
`max_wait_ms`; the device was free and nobody asked to wait. `drain` is a value of the metric's label that no batch has
any more."""

WAIT_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Inclusive upper bounds of the buckets of waits; one more bucket takes the rest."""
RUN_BOUNDS_MS = (*WAIT_BOUNDS_MS, 10_000, 30_000, 60_000)


class BatchStats:
    """Counters of one batcher since its start."""

    def __init__(self) -> None:
        self.n_batches = 0
        self.n_failed_runs = 0
        self.sizes: Counter[int] = Counter()
        self.reasons: Counter[FlushReason] = Counter()
        self.waits_ms = Histogram(WAIT_BOUNDS_MS)
        self.runs_ms = Histogram(RUN_BOUNDS_MS)
        """Each call of the model, failed ones included."""

    def left(self, waits_s: list[float], reason: FlushReason) -> None:
        """Count a batch that leaves for the device, with each item's wait since its arrival."""
        self.n_batches += 1
        self.sizes[len(waits_s)] += 1
        self.reasons[reason] += 1
        for wait_s in waits_s:
            self.waits_ms.add(wait_s * 1_000)
