"""The partition numbers that this worker owns: a driver for each, begun and ended with Faust's assignments."""

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
    """Owns the drivers; hears of assignments (kafka/batch_consumer.py) and hands batches to the right driver.

    `handover_s`: how long a rebalance waits for what is decided to be carried out; what is left then is left to whoever
    comes next.
    """

    def __init__(self, prefix: str, handover_s: float = HandoverTimes().carry_out_s) -> None:
        self._prefix, self._handover_s = prefix, handover_s
        self._process = uuid.uuid4().hex[:12]
        self._context: WorkerContext | None = None
        self._epoch = -1
        self.n_assignments = 0
        self.drivers: dict[int, PartitionDriver] = {}
        self.n_unjudged: Counter[str] = Counter()
        """By topic (unprefixed), records that were deleted before anybody judged them, as far as offsets tell."""
        self._closing = False
        self.left: list[str] = []
        """What was decided here and could not be carried out, once it was told to close."""
        self._trouble: dict[str, str] = {"joining": "waiting for an assignment of the consumer group"}

    def use(self, context: WorkerContext) -> None:
        """Give it what drivers need; before the application starts."""
        self._context = context

    # --- assignments -------------------------------------------------------------------------------------------

    async def on_assigned(self, epoch: int, generation: int, starts: Mapping[TopicPartition, Start]) -> None:
        """An assignment begins: start a driver for each partition number."""
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
        """What forbids to work on an assignment, in words; "" where nothing does."""
        torn = {p: sorted(topics) for p, topics in by_partition.items() if set(topics) != set(MEDIA_TOPICS)}
        if torn:
            return f"these partitions came without their siblings in other topics: {torn}"
        last, n_counted = max(by_partition, default=-1), self._context.n_partitions if self._context else 0
        if self._context is not None and last >= n_counted:
            # Its count is older than the group's: it would take every record of the new ones for misrouted.
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
        """The assignment ends: carry out what is decided, for a moment, then stop all drivers."""
        left = await self.drain(self._handover_s)
        for what in left:
            log.info("handing over: %s", what)
        if self._closing:
            self._note(left)
        self.stop()
        self._trouble["joining"] = "waiting for an assignment of the consumer group"

    def stop(self) -> None:
        """Stop all drivers: nothing of this assignment acts any more."""
        for driver in self.drivers.values():
            driver.stop()
        self.drivers.clear()
        self._epoch = -1

    async def drain(self, limit_s: float) -> list[str]:
        """Read nothing more, and have all drivers hand over; what could not be done in `limit_s`, in words."""
        found = await asyncio.gather(*(driver.hand_over(limit_s) for driver in self.drivers.values()))
        return [what for left in found for what in left]

    async def close(self, limit_s: float) -> None:
        """Drain, and start nothing with an assignment that comes now; `left` is what could not be done."""
        self._closing = True
        self._note(await self.drain(limit_s))

    def _note(self, left: list[str]) -> None:
        self.left = list(dict.fromkeys([*self.left, *left]))  # a rebalance meanwhile is told the same

    async def halt(self, reason: str) -> None:
        """Hand over, then read and propose nothing until the process is started anew."""
        log.error("%s", reason)
        self._trouble["partitions"] = reason
        for what in await self.drain(self._handover_s):
            log.info("halting: %s", what)
        self.stop()

    # --- records and time --------------------------------------------------------------------------------------

    def hand_over(self, batch: FetchedBatch) -> None:
        """Records from an agent; those of another assignment are dropped, they come again."""
        if batch.epoch != self._epoch or batch.partition not in self.drivers or self._context is None:
            return
        topic = batch.topic.removeprefix(self._prefix)
        try:
            self.n_unjudged[topic] += self.drivers[batch.partition].deliver(topic, batch)
        except Exception as error:  # Faust would start the agent anew, behind this batch
            self._context.on_broken(error)

    async def tick(self) -> None:
        """Let time pass for all drivers, for ever."""
        while True:
            for driver in self.drivers.values():
                driver.schedule()
            await asyncio.sleep(TICK_S)

    @property
    def is_assigned(self) -> bool:
        """Whether it has an assignment now, be it of no partition."""
        return self._epoch >= 0

    def lags(self) -> list[Behind]:
        """How far each topic of each partition number is behind."""
        wall_ms = int(time.time() * 1_000)
        drivers = self.drivers.items()
        return [Behind(topic, p, lag) for p, driver in drivers for topic, lag in driver.lags(wall_ms).items()]

    def stalled_lanes(self) -> list[dict[str, Any]]:
        """Lanes that send events and whose time hardly moves on, by partition number; for people and programs."""
        return [
            {"partition": partition, "stream": one.stream, "lane": one.lane, "watermark": _shown(one.watermark_ms)}
            for partition, driver in self.drivers.items()
            for one in driver.stalled_lanes()
        ]

    def reasons(self) -> Iterator[str]:
        """Why this worker does no work, or not all of it."""
        yield from self._trouble.values()
        for driver in self.drivers.values():
            yield from driver.reasons()


def _shown(watermark_ms: int) -> str:
    return format_time(min(max(watermark_ms, MIN_TIME_MS), MAX_TIME_MS))
