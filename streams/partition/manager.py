"""Runs a driver for each partition number that this worker owns, as Faust's assignments come and go."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from aiokafka.structs import TopicPartition

from streams.kafka.batch_consumer import FetchedBatch
from streams.kafka.consumer_thread import Start
from streams.partition.context import Assigned, WorkerContext
from streams.partition.driver import PartitionDriver
from streams.partition.lag import Behind
from streams.settings import HandoverTimes
from syncline.wire.contract import MEDIA_TOPICS
from syncline.wire.timestamps import MAX_TIME_MS, MIN_TIME_MS, format_time

log = logging.getLogger(__name__)

TICK_S = 0.05


class PartitionManager:
    """Owns the drivers: takes assignments (kafka/batch_consumer.py) and hands batches to the right driver.

    Args:
        prefix (str): prefix of the topics.
        handover_s (float): how long a rebalance waits for decisions to be carried out, s; the rest is left to the next
            owner. Default `HandoverTimes().carry_out_s`.
    """

    def __init__(self, prefix: str, handover_s: float = HandoverTimes().carry_out_s) -> None:
        self._prefix, self._handover_s = prefix, handover_s
        self._process = uuid.uuid4().hex[:12]
        self._context: WorkerContext | None = None
        self._epoch = -1
        self.n_assignments = 0
        self.drivers: dict[int, PartitionDriver] = {}
        self.n_unjudged: Counter[str] = Counter()
        """By topic (without prefix), records deleted before they were judged, as far as offsets tell."""
        self._closing = False
        self.left: list[str] = []
        """Decisions not carried out when it was closed, in words."""
        self._trouble: dict[str, str] = {"joining": "waiting for an assignment of the consumer group"}

    def use(self, context: WorkerContext) -> None:
        """Set the context of the drivers; call it before the application starts."""
        self._context = context

    # --- assignments -------------------------------------------------------------------------------------------

    async def on_assigned(self, epoch: int, generation: int, starts: Mapping[TopicPartition, Start]) -> None:
        """Start a driver for each partition number of a new assignment."""
        self.stop()
        self._epoch = epoch
        self.n_assignments += 1
        self._trouble.pop("joining", None)
        self._trouble.pop("assignment", None)
        by_partition: dict[int, dict[str, Start]] = defaultdict(dict)
        for tp, start in starts.items():
            by_partition[tp.partition][tp.topic.removeprefix(self._prefix)] = start
        wrong = self._wrong(by_partition)
        if wrong:
            self._trouble["assignment"] = wrong
            log.error("%s; nothing is read", wrong)
        log.info("generation %d: partitions %s", generation, sorted(by_partition) or "none")
        if self._context is None or wrong or "partitions" in self._trouble or self._closing:
            return
        for partition, starts_of in sorted(by_partition.items()):
            self._start_driver(self._context, epoch, generation, partition, starts_of, n_shares=len(by_partition))

    def _wrong(self, by_partition: Mapping[int, Mapping[str, Start]]) -> str:
        """Return why an assignment cannot be worked on; "" if it can."""
        torn = {p: sorted(topics) for p, topics in by_partition.items() if set(topics) != set(MEDIA_TOPICS)}
        if torn:
            return f"these partitions came without their siblings in other topics: {torn}"
        last, n_counted = max(by_partition, default=-1), self._context.n_partitions if self._context else 0
        if self._context is not None and last >= n_counted:
            # Its count is older than the group's: it would judge every record of the new partitions misrouted.
            return f"partition {last} was assigned, and this worker has counted {n_counted} partitions"
        return ""

    def _start_driver(
        self,
        context: WorkerContext,
        epoch: int,
        generation: int,
        partition: int,
        starts: dict[str, Start],
        *,
        n_shares: int,
    ) -> None:
        worker = f"{self._process}/{epoch}/{partition}"
        assigned = Assigned(
            epoch=epoch, generation=generation, partition=partition, starts=starts, worker=worker, n_shares=n_shares
        )
        self.drivers[partition] = driver = PartitionDriver(context, assigned)
        driver.start()

    async def on_revoked(self) -> None:
        """End the assignment: carry out decisions for a limited time, then stop all drivers."""
        left = await self.drain(self._handover_s)
        for what in left:
            log.info("handing over: %s", what)
        if self._closing:
            self._note(left)
        self.stop()
        self._trouble["joining"] = "waiting for an assignment of the consumer group"

    def stop(self) -> None:
        """Stop all drivers at once."""
        for driver in self.drivers.values():
            driver.stop()
        self.drivers.clear()
        self._epoch = -1

    async def drain(self, limit_s: float) -> list[str]:
        """Stop reading and let all drivers hand over; return what was not done in `limit_s` seconds, in words."""
        found = await asyncio.gather(*(driver.hand_over(limit_s) for driver in self.drivers.values()))
        return [what for left in found for what in left]

    async def close(self, limit_s: float) -> None:
        """Drain, and ignore later assignments; `left` is what was not done."""
        self._closing = True
        self._note(await self.drain(limit_s))

    def _note(self, left: list[str]) -> None:
        self.left = list(dict.fromkeys([*self.left, *left]))  # a rebalance meanwhile finds the same

    async def halt(self, reason: str) -> None:
        """Hand over, then do nothing until the process is restarted."""
        log.error("%s", reason)
        self._trouble["partitions"] = reason
        for what in await self.drain(self._handover_s):
            log.info("halting: %s", what)
        self.stop()

    # --- records and time --------------------------------------------------------------------------------------

    def hand_over(self, batch: FetchedBatch) -> None:
        """Take records from an agent; those of another assignment are dropped, and read again."""
        if batch.epoch != self._epoch or batch.partition not in self.drivers or self._context is None:
            return
        topic = batch.topic.removeprefix(self._prefix)
        try:
            self.n_unjudged[topic] += self.drivers[batch.partition].deliver(topic, batch)
        except Exception as error:  # Faust would restart the agent after this batch
            self._context.on_broken(error)

    async def tick(self) -> None:
        """Tick all drivers, for ever."""
        while True:
            for driver in self.drivers.values():
                driver.schedule()
            await asyncio.sleep(TICK_S)

    @property
    def is_assigned(self) -> bool:
        """Whether it has an assignment, even one without partitions."""
        return self._epoch >= 0

    def lags(self) -> list[Behind]:
        """Return the lag of each topic of each partition number."""
        wall_ms = int(time.time() * 1_000)
        drivers = self.drivers.items()
        return [Behind(topic, p, lag) for p, driver in drivers for topic, lag in driver.lags(wall_ms).items()]

    def stalled_lanes(self) -> list[dict[str, Any]]:
        """Return lanes that send events but whose time hardly advances, as JSON objects."""
        return [
            {"partition": partition, "stream": one.stream, "lane": one.lane, "watermark": _shown(one.watermark_ms)}
            for partition, driver in self.drivers.items()
            for one in driver.stalled_lanes()
        ]

    def reasons(self) -> Iterator[str]:
        """Yield why this worker does no work, or only a part of it."""
        yield from self._trouble.values()
        for driver in self.drivers.values():
            yield from driver.reasons()


def _shown(watermark_ms: int) -> str:
    return format_time(min(max(watermark_ms, MIN_TIME_MS), MAX_TIME_MS))
