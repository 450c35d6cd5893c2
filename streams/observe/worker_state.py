"""The parts of a worker that /livez, /readyz and /metrics read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from streams.convert.conversions import Conversions
from streams.inference.runner import ModelRunner
from streams.kafka.cluster_watch import AuthWatch
from streams.meter import Meter
from streams.partition.context import WorkerContext
from streams.partition.high_waters import LagWatch
from streams.partition.manager import PartitionManager
from streams.settings import WorkerSettings

WINDOW_S = 30.0


class BusyShare:
    """The busy share of the last `WINDOW_S`, from regular readings of a total."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def look(self, now_s: float, busy_s: float) -> None:
        """Take a reading: the total is `busy_s` at `now_s`."""
        self._seen.append((now_s, busy_s))
        while len(self._seen) > 2 and self._seen[1][0] <= now_s - WINDOW_S:
            self._seen.popleft()

    @property
    def share(self) -> float:
        """The share in [0, 1]; 0 before two readings."""
        if len(self._seen) < 2 or self._seen[-1][0] <= self._seen[0][0]:
            return 0.0
        (from_s, before_s), (to_s, after_s) = self._seen[0], self._seen[-1]
        return min(1.0, max(0.0, (after_s - before_s) / (to_s - from_s)))


@dataclass(slots=True, kw_only=True)
class WorkerState:
    """A worker from its first moment to its last, as others see it.

    `starting`: why it does not work yet, or no longer. `broken`: what ends it. `runner`: None until it loads, and for
    the null model. `context`: its parts; None until its model is loaded and its topics are there, as are the watches.
    """

    settings: WorkerSettings
    manager: PartitionManager
    meter: Meter = field(default_factory=Meter)
    busy: BusyShare = field(default_factory=BusyShare)
    starting: str = "starting"
    broken: BaseException | None = None
    runner: ModelRunner | None = None
    conversions: Conversions = field(default_factory=Conversions)
    context: WorkerContext | None = None
    lag_watch: LagWatch | None = None
    access: AuthWatch | None = None

    def heartbeat_age_s(self, now_s: float) -> float | None:
        """Since the last heartbeat that succeeded; None before the first."""
        generation, sent_ms = self.context.consumer.heartbeat if self.context is not None else (-1, 0)
        return None if generation < 0 else now_s - sent_ms / 1_000
