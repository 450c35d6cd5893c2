"""Asks the brokers for the topics' end offsets, for the timers and the lag of the partition numbers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.retry import Backoff
from streams.kafka.transaction_holder import find_holder
from streams.partition.context import WorkerContext
from streams.partition.driver import PartitionDriver
from streams.partition.manager import PartitionManager
from syncline.kafka.client import start_consumer, stop_consumer
from syncline.kafka.routines import client_of, revive, unless_ended
from syncline.wire.contract import DECISIONS, MEDIA_TOPICS

log = logging.getLogger(__name__)

ASK_EVERY_S = 0.25

RETRY_S, MOST_RETRY_S = 0.2, 3.0
"""First and longest pause between attempts to connect, s."""

ASK_ALL_EVERY_S = 1.0

ASK_LIMIT_S = 10.0
"""aiokafka gives up after 5 s; a request that still hangs would stop every timer."""


class HighWaters:
    """Asks for the last stable offsets of the topics that owners need, for all owners together.

    The last stable offset is the high watermark unless a transaction is open: media are read committed, and records
    above it cannot be read yet. Timers must not wait for one producer's transaction.
    It has its own consumer: a broker answers the requests of one connection in order, and an answer after a fetch that
    waits for records would be late.
    """

    every_s = ASK_EVERY_S

    def __init__(self, manager: PartitionManager, context: WorkerContext) -> None:
        self._manager, self._context = manager, context
        self._prefix = context.settings.topic_prefix
        self._answered_ms = context.now_ms()

    @property
    def silent_ms(self) -> int:
        """Age of the last answered request, ms: little more than `every_s` if all is well."""
        return self._context.now_ms() - self._answered_ms

    async def run(self) -> None:
        """Ask for ever; waits while the broker is away."""
        consumer = await self._connect()
        try:
            while True:
                await asyncio.sleep(self.every_s)
                if ended := revive(consumer):
                    log.warning("the watch of high watermarks was restarted: %s", ended)
                await self._ask(consumer)
        finally:
            await stop_consumer(consumer)

    async def _connect(self) -> Any:
        backoff = Backoff(RETRY_S, MOST_RETRY_S)
        while True:
            try:
                return await start_consumer(
                    self._context.cluster, request_timeout_ms=5_000, isolation_level="read_committed"
                )
            except KafkaError as error:
                log.debug("cannot ask for high watermarks: %r", error)
                await asyncio.sleep(backoff.next_s())

    async def _ask(self, consumer: Any) -> None:
        drivers, asked_ms = dict(self._manager.drivers), self._context.now_ms()
        wanted = {partition: topics for partition, driver in drivers.items() if (topics := self._topics_of(driver))}
        found = await self._high_waters(consumer, [(topic, p) for p, topics in wanted.items() for topic in topics])
        if found is not None:
            self._answered_ms = asked_ms
        for partition, topics in wanted.items():
            answers = None if found is None else {topic: found[topic, partition] for topic in topics}
            self._tell(drivers[partition], answers, asked_ms)

    def _topics_of(self, driver: PartitionDriver) -> Collection[str]:
        return driver.owner.topics_to_ask()

    def _tell(self, driver: PartitionDriver, answers: dict[str, int] | None, asked_ms: int) -> None:
        driver.on_high_water(answers, asked_ms)

    async def _high_waters(self, consumer: Any, names: list[tuple[str, int]]) -> dict[tuple[str, int], int] | None:
        """Return offsets by topic (without prefix) and partition; None if a broker did not answer."""
        if not names:
            return await self._nothing(consumer)
        tps = {TopicPartition(self._prefix + topic, p): (topic, p) for topic, p in names}
        try:
            async with asyncio.timeout(ASK_LIMIT_S):
                ends: dict[TopicPartition, int] = await unless_ended(consumer, consumer.end_offsets(list(tps)))
        except (KafkaError, TimeoutError) as error:
            log.debug("cannot ask for high watermarks: %r", error)
            return None
        return {name: max(ends.get(tp, 0), self._fetched(*name)) for tp, name in tps.items()}

    async def _nothing(self, consumer: Any) -> dict[tuple[str, int], int] | None:  # noqa: ARG002
        """Answer if there is nothing to ask."""
        return {}

    def _fetched(self, topic: str, partition: int) -> int:
        # Tansu counts the last batch as one record; once a record of it is fetched, the fetch's own mark is right.
        return 0 if topic == DECISIONS else self._context.consumer.fetched_ends(topic, partition).stable


class LagWatch(HighWaters):
    """Asks for the end offsets of all topics, so that the lag is known while back-pressure pauses reading, too.

    It has its own connection: while the leader of one partition is away, a request for all waits for it, and the
    timers of the others must not.
    """

    every_s = ASK_ALL_EVERY_S

    async def _ask(self, consumer: Any) -> None:
        await super()._ask(consumer)
        for partition, driver in dict(self._manager.drivers).items():
            for topic, held_back in driver.unnamed():
                tp = TopicPartition(self._prefix + topic, partition)
                with suppress(TimeoutError):
                    async with asyncio.timeout(ASK_LIMIT_S):
                        held_back.name(await find_holder(client_of(consumer), tp, held_back.stable))

    async def _nothing(self, consumer: Any) -> dict[tuple[str, int], int] | None:
        # A worker without partitions must learn, too, that the broker refuses it.
        try:
            async with asyncio.timeout(ASK_LIMIT_S):
                await unless_ended(consumer, consumer.topics())
        except (KafkaError, TimeoutError) as error:
            log.debug("cannot ask the broker: %r", error)
            return None
        return {}

    def _topics_of(self, driver: PartitionDriver) -> Collection[str]:  # noqa: ARG002
        return (*MEDIA_TOPICS, DECISIONS)

    def _tell(self, driver: PartitionDriver, answers: dict[str, int] | None, asked_ms: int) -> None:
        if answers is not None:
            driver.on_ends(answers, asked_ms)
