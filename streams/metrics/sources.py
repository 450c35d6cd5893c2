"""The parts of one worker that say how it does: for /livez, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.convert.conversions import Conversions
from streams.kafka.access import AccessWatch
from streams.kafka.log import LogTail
from streams.kafka.publish import Producer
from streams.kafka.watch import LagWatch
from streams.metrics.busy import BusyShare
from streams.metrics.meter import Meter
from streams.model.fusing import ModelRunner
from streams.partition.decode import Decoder
from streams.partition.hub import Hub
from streams.settings import WorkerSettings
from syncline.results import ModelInfo


@dataclass(slots=True, kw_only=True)
class Sources:
    """A worker as others see it. What is None has not started yet, or there is none: `runner`, for the null model.

    `starting`: why it does not work yet, or no longer. `broken`: what ends it. `heartbeat`: (generation, seconds of the
    monotonic clock at which the last heartbeat that succeeded in it was sent). `consumer_ticks`: grows while the
    consumer's thread runs.
    """

    settings: WorkerSettings
    hub: Hub
    meter: Meter = field(default_factory=Meter)
    busy: BusyShare = field(default_factory=BusyShare)
    starting: str = "starting"
    broken: BaseException | None = None
    heartbeat: Callable[[], tuple[int, float]] | None = None
    consumer_ticks: Callable[[], int] | None = None
    decoder: Decoder | None = None
    producer: Producer | None = None
    runner: ModelRunner | None = None
    conversions: Conversions = field(default_factory=Conversions)
    model: ModelInfo | None = None
    tail: LogTail | None = None
    lag_watch: LagWatch | None = None
    access: AccessWatch | None = None

    def heartbeat_age_s(self, now_s: float) -> float | None:
        """Since the last heartbeat that succeeded; None before the first."""
        generation, sent_s = self.heartbeat() if self.heartbeat else (-1, 0.0)
        return None if generation < 0 else now_s - sent_s
