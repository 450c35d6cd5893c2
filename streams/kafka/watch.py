"""What is asked of the broker beside reading and writing: high watermarks for timers, and partition counts."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.log import stop_consumer
from streams.partition.hub import Hub
from streams.partition.parts import Parts
from syncline.contract import ALL_TOPICS
from syncline.errors import BrokerError
from syncline.topics import read_topics

log = logging.getLogger(__name__)

ASK_EVERY_S = 0.25
COUNT_EVERY_S = 30.0
WAIT_FOR_TOPICS_S = 2.0


class HighWaters:
    """Asks for the high watermarks that owners want, for all of them together.

    Its consumer is its own, because a broker answers the requests of one connection in order: behind a fetch that
    waits for records, an answer would be late.
    """

    def __init__(self, brokers: str, prefix: str, hub: Hub, parts: Parts) -> None:
        self._brokers, self._prefix, self._hub, self._parts = brokers, prefix, hub, parts

    async def run(self) -> None:
        """Ask for ever; raises `KafkaError` where the first connection fails."""
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=self._brokers, request_timeout_ms=5_000)
        await consumer.start()
        try:
            while True:
                await asyncio.sleep(ASK_EVERY_S)
                await self._ask(consumer)
        finally:
            await stop_consumer(consumer)

    async def _ask(self, consumer: Any) -> None:
        wanted = {
            partition: topics
            for partition, driver in self._hub.drivers.items()
            if (topics := driver.owner.topics_to_ask())
        }
        if not wanted:
            return
        asked_ms = self._parts.now_ms()
        drivers = {partition: self._hub.drivers[partition] for partition in wanted}
        names = [TopicPartition(self._prefix + topic, p) for p, topics in wanted.items() for topic in topics]
        try:
            found: dict[TopicPartition, int] | None = await consumer.end_offsets(names)
        except KafkaError as error:
            log.debug("high watermarks cannot be asked: %r", error)
            found = None
        for partition, driver in drivers.items():
            answers = None if found is None else self._answers(found, partition, wanted[partition])
            driver.on_high_water(answers, asked_ms)

    def _answers(self, found: dict[TopicPartition, int], partition: int, topics: set[str]) -> dict[str, int]:
        # Tansu counts the last batch as one record; once any of that batch is here, so is the mark of its fetch.
        return {
            topic: max(
                found.get(TopicPartition(self._prefix + topic, partition), 0),
                self._parts.fetched_high_water(topic, partition),
            )
            for topic in topics
        }


async def count_partitions(brokers: str, prefix: str) -> tuple[int, str]:
    """How many partitions all topics have; 0 and what is wrong where they differ or are missing.

    Raises `BrokerError` where the broker cannot be asked.
    """
    states = await read_topics(brokers, [prefix + topic for topic in ALL_TOPICS])
    counts = {topic: states[prefix + topic].n_partitions if prefix + topic in states else 0 for topic in ALL_TOPICS}
    missing = [prefix + topic for topic, count in counts.items() if not count]
    if missing:
        hint = f"make them with: syncline topics create --brokers {brokers}"
        return 0, f"broker {brokers} has no topic {', '.join(missing)}; {hint}"
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"{prefix}{topic} {count}" for topic, count in counts.items())
        return 0, f"all topics must have the same number of partitions, and have: {numbers}"
    return counts[ALL_TOPICS[0]], ""


async def watch_partitions(brokers: str, prefix: str, hub: Hub, n_partitions: int) -> None:
    """Halt the hub when the number of partitions changes: streams would be elsewhere than their records."""
    while True:
        await asyncio.sleep(COUNT_EVERY_S)
        try:
            found, trouble = await count_partitions(brokers, prefix)
        except BrokerError as error:
            log.debug("partitions cannot be counted now: %s", error)
            continue
        if found != n_partitions:
            hub.halt(trouble or f"topics had {n_partitions} partitions when this worker started, now {found}")
            return
