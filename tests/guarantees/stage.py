"""Everything that belongs to one run and that a fault can touch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.guarantees.faults import Fault
from tests.guarantees.plan import Plan
from tests.guarantees.pool import Pool
from tests.guarantees.progress import Progress
from tests.guarantees.sends import Sender
from tests.support.apache_kafka import ApacheKafka
from tests.support.brokers import Apache, TestBroker
from tests.support.worker_process import SESSION_TIMEOUT_MS

LONGER_S = 1.5
"""By how much longer than the session timeout a worker stands still: its streams have gone to another then."""
WELL_S = 30.0
"""What a deployment may take to be well again, beside the times that its settings name."""
GROUP = "workers"
"""The workers' consumer group, without its prefix."""


@dataclass(frozen=True)
class Stage:
    """One run's broker, workers, producer, and what is seen of its results."""

    plan: Plan
    broker: TestBroker
    prefix: str
    pool: Pool
    progress: Progress
    sender: Sender
    brokers_are_mine: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Who does something to the brokers waits until those before have been mended."""

    lives_are_mine: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Who starts workers with other settings, or of other groups, waits until those before are as they were."""

    words: dict[Fault, str] = field(default_factory=dict[Fault, str])
    """Of faults that did not strike as they should have: why."""

    def said_of(self, fault: Fault) -> str:
        """A fault in a few words, with why it did not strike as it should have."""
        return f"{fault} ({self.words[fault]})" if fault in self.words else str(fault)

    @property
    def frozen_s(self) -> float:
        """How long a worker stands still."""
        return SESSION_TIMEOUT_MS[self.broker.kind] / 1_000 + LONGER_S

    @property
    def liveness_s(self) -> float:
        """By when after the last fault every record must have its outcome."""
        return WELL_S + (SESSION_TIMEOUT_MS[self.broker.kind] + self.plan.join.max_wait_ms) / 1_000

    @property
    def group(self) -> str:
        """The workers' consumer group."""
        return self.prefix + GROUP

    @property
    def cluster(self) -> ApacheKafka:
        """The brokers, where they are Apache Kafka's."""
        assert isinstance(self.broker, Apache)
        return self.broker.cluster
