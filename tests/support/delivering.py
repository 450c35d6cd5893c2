"""A Faust application whose records are only noted down: what streams/kafka/batch_consumer.py promises, seen from
outside.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.kafka.app import SynclineApp
from streams.kafka.batch_consumer import FetchedBatch
from streams.kafka.consumer_thread import Start
from streams.settings import WorkerSettings
from syncline.kafka.client import stop_consumer
from syncline.kafka.cluster import Cluster
from tests.support.brokers import TestBroker
from tests.support.worker_process import SESSION_TIMEOUT_MS


class Noting:
    """Listens and takes batches; lets go of everything at the start of an assignment, unless `hold_all`."""

    def __init__(
        self, broker: TestBroker, prefix: str, *, hold_all: bool = False, session_timeout_ms: int | None = None
    ) -> None:
        self.settings = WorkerSettings(
            brokers=broker.address, topic_prefix=prefix, group=prefix + "workers", commit_interval_ms=100,
            session_timeout_ms=session_timeout_ms or SESSION_TIMEOUT_MS[broker.kind], heartbeat_ms=500,
        )  # fmt: skip
        self.app = SynclineApp(self.settings, Cluster.of(broker.address), self._take, self)
        self._hold_all = hold_all
        self.assignments: list[tuple[int, int, dict[tuple[str, int], Start]]] = []
        self.n_revoked = 0
        self.batches: list[FetchedBatch] = []
        self.offsets: dict[int, dict[tuple[str, int], list[int]]] = defaultdict(lambda: defaultdict(list))
        self.next_offsets: dict[tuple[str, int], int] = {}
        self._changed = asyncio.Event()

    async def on_assigned(self, epoch: int, generation: int, starts: Mapping[TopicPartition, Start]) -> None:
        self.assignments.append((epoch, generation, {(tp.topic, tp.partition): at for tp, at in starts.items()}))
        if not self._hold_all:
            for tp in starts:
                self.app.batches.hold(epoch, tp, False)
        self._changed.set()

    async def on_revoked(self) -> None:
        self.n_revoked += 1

    def _take(self, batch: FetchedBatch) -> None:
        self.batches.append(batch)
        self.offsets[batch.epoch][batch.topic, batch.partition] += [record.offset for record in batch.records]
        self.next_offsets[batch.topic, batch.partition] = batch.next_offset
        self._changed.set()

    @property
    def epoch(self) -> int:
        """Of the newest assignment."""
        return self.assignments[-1][0]

    @property
    def owned(self) -> set[tuple[str, int]]:
        """Topic partitions of the newest assignment."""
        return set(self.assignments[-1][2]) if self.assignments else set()

    def n_records(self, topic: str | None = None) -> int:
        """Records of the newest assignment."""
        return sum(len(o) for (name, _), o in self.offsets[self.epoch].items() if topic in (None, name))

    def hold(self, topic: str, partition: int, held: bool) -> None:
        self.app.batches.hold(self.epoch, TopicPartition(topic, partition), held)

    def resolve(self, topic: str, partition: int, next_offset: int, epoch: int | None = None) -> None:
        epoch = self.epoch if epoch is None else epoch
        self.app.batches.resolve(epoch, TopicPartition(topic, partition), next_offset)

    async def until(self, done: Callable[[], bool], limit_s: float = 300.0) -> None:
        """Wait until `done` says so."""
        async with asyncio.timeout(limit_s):
            while not done():
                self._changed.clear()
                await asyncio.wait({asyncio.ensure_future(self._changed.wait())}, timeout=0.1)

    async def __aenter__(self) -> Noting:
        await self.app.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.app.batches.commit_all(
            self.app.commit_limit_s
        )  # as a worker does: Faust's last commit may be left out
        await self.app.stop()


async def committed(brokers: str, group: str, topic: str, partition: int) -> int | None:
    """The offset that a group has committed."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=group)
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(topic, partition))
    finally:
        await stop_consumer(consumer)
