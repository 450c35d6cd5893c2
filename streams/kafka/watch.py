"""What is asked of the broker beside reading and writing: how far topics reach, for timers, and partition counts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.backoff import Backoff
from streams.kafka.holder import find_holder
from streams.kafka.votes import Votes
from streams.partition.counted import Counted
from streams.partition.driver import PartitionDriver
from streams.partition.hub import Hub
from streams.partition.parts import Parts
from syncline.acls import needs_of
from syncline.cluster import Cluster
from syncline.contract import ALL_TOPICS, DECISIONS, MEDIA_TOPICS
from syncline.errors import AccessError, BrokerError, SynclineError
from syncline.kafka import require_rights, start_consumer, stop_consumer
from syncline.partition_counts import Nodes
from syncline.routines import revive, unless_ended

log = logging.getLogger(__name__)

ASK_EVERY_S = 0.25
RETRY_S, MOST_RETRY_S = 0.2, 3.0
"""Between the attempts to connect."""
ASK_ALL_EVERY_S = 1.0
ASK_LIMIT_S = 10.0
"""aiokafka gives up by itself, after 5 s; a question that hung all the same would stop every timer."""
COUNT_EVERY_S = 1.0
DOUBT_EVERY_S = 0.1
"""While the answers are few, or do not agree."""
SPARE_S = 0.02
"""Between two questions, whoever wants to know it now."""
WAIT_FOR_TOPICS_S = 2.0


class PartitionsChangedError(SynclineError):
    """The topics have other partitions than this worker was started with: started anew, it counts them anew."""

    def __init__(self, before: int, now: int) -> None:
        super().__init__(
            f"all topics have {now} partitions, and this worker has halted while it saw others than the {before} with "
            "which it started: it ends, so that it is started anew"
        )


class HighWaters:
    """Asks how far the topics reach that owners want to know of, for all of them together.

    That is the last stable offset, the high watermark unless a transaction is open: media are read committed, and what
    lies above can be read by nobody yet. Timers that waited for it would wait for one producer's transaction.
    Its consumer is its own, because a broker answers the requests of one connection in order: behind a fetch that
    waits for records, an answer would be late.
    """

    every_s = ASK_EVERY_S

    def __init__(self, cluster: Cluster, prefix: str, hub: Hub, parts: Parts) -> None:
        self._cluster, self._prefix, self._hub, self._parts = cluster, prefix, hub, parts
        self._answered_ms = parts.now_ms()

    @property
    def silent_ms(self) -> int:
        """Age of the last question that was answered: little more than `every_s` where all is well."""
        return self._parts.now_ms() - self._answered_ms

    async def run(self) -> None:
        """Ask for ever; a broker that is away is waited for."""
        consumer = await self._connect()
        try:
            while True:
                await asyncio.sleep(self.every_s)
                if ended := revive(consumer):
                    log.warning("asking for high watermarks, %s; it goes on anew", ended)
                await self._ask(consumer)
        finally:
            await stop_consumer(consumer)

    async def _connect(self) -> Any:
        backoff = Backoff(RETRY_S, MOST_RETRY_S)
        while True:
            try:
                return await start_consumer(self._cluster, request_timeout_ms=5_000, isolation_level="read_committed")
            except KafkaError as error:
                log.debug("high watermarks cannot be asked: %r", error)
                await asyncio.sleep(backoff.next_s())

    async def _ask(self, consumer: Any) -> None:
        drivers, asked_ms = dict(self._hub.drivers), self._parts.now_ms()
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
        """By topic (unprefixed) and partition; None where a broker did not answer."""
        if not names:
            return await self._nothing(consumer)
        tps = {TopicPartition(self._prefix + topic, p): (topic, p) for topic, p in names}
        try:
            async with asyncio.timeout(ASK_LIMIT_S):
                ends: dict[TopicPartition, int] = await unless_ended(consumer, consumer.end_offsets(list(tps)))
        except (KafkaError, TimeoutError) as error:
            log.debug("high watermarks cannot be asked: %r", error)
            return None
        return {name: max(ends.get(tp, 0), self._fetched(*name)) for tp, name in tps.items()}

    async def _nothing(self, consumer: Any) -> dict[tuple[str, int], int] | None:  # noqa: ARG002
        """The answer where there is nothing to ask."""
        return {}

    def _fetched(self, topic: str, partition: int) -> int:
        # Tansu counts the last batch as one record; once any of that batch is here, so is the mark of its fetch.
        return 0 if topic == DECISIONS else self._parts.fetched_ends(topic, partition).stable


class LagWatch(HighWaters):
    """Asks how far all topics reach, so that the lag is known while back-pressure holds reading, too.

    What is fetched says nothing of it then. On a connection of its own once more: while the leader of one partition is
    away, a question for all waits for it, and the timers of the others shall not.
    """

    every_s = ASK_ALL_EVERY_S

    async def _ask(self, consumer: Any) -> None:
        await super()._ask(consumer)
        for partition, driver in dict(self._hub.drivers).items():
            for topic, held_back in driver.unnamed():
                tp = TopicPartition(self._prefix + topic, partition)
                with suppress(TimeoutError):
                    async with asyncio.timeout(ASK_LIMIT_S):
                        held_back.name(await find_holder(consumer._client, tp, held_back.stable))  # noqa: SLF001

    async def _nothing(self, consumer: Any) -> dict[tuple[str, int], int] | None:
        # A worker without partitions must hear, too, that the broker does not let it in any more.
        try:
            async with asyncio.timeout(ASK_LIMIT_S):
                await unless_ended(consumer, consumer.topics())
        except (KafkaError, TimeoutError) as error:
            log.debug("the broker cannot be asked: %r", error)
            return None
        return {}

    def _topics_of(self, driver: PartitionDriver) -> Collection[str]:  # noqa: ARG002
        return (*MEDIA_TOPICS, DECISIONS)

    def _tell(self, driver: PartitionDriver, answers: dict[str, int] | None, asked_ms: int) -> None:
        if answers is not None:
            driver.on_ends(answers, asked_ms)


async def count_partitions(nodes: Nodes, prefix: str) -> tuple[int, str]:
    """How many partitions all topics have, as the next node says; 0 and what is wrong where they differ or are missing.

    Raises `BrokerError` where the node cannot say.
    """
    counts = await nodes.count([prefix + topic for topic in ALL_TOPICS])
    missing = [name for name, count in counts.items() if not count]
    if missing:
        hint = f"make them with: syncline topics create --brokers {nodes.cluster}"
        return 0, f"broker {nodes.cluster} has no topic {', '.join(missing)}; {hint}"
    if len(set(counts.values())) > 1:
        numbers = ", ".join(f"{name} {count}" for name, count in counts.items())
        return 0, f"all topics must have the same number of partitions, and have: {numbers}"
    return counts[prefix + ALL_TOPICS[0]], ""


async def wait_for_topics(cluster: Cluster, prefix: str, group: str, on_trouble: Callable[[str], None]) -> int:
    """The number of partitions, once all topics are there and agree; `on_trouble` hears why they do not.

    Raises `AccessError` where the broker lets this worker not in, or not do what it must.
    """
    async with Nodes(cluster) as nodes:
        while True:
            try:
                await require_rights(cluster, needs_of("worker"), prefix, group)
                n_partitions, trouble = await _count_everywhere(nodes, prefix)
            except AccessError:
                raise  # a setting is wrong: waiting mends nothing
            except BrokerError as error:
                n_partitions, trouble = 0, str(error)
            if n_partitions:
                return n_partitions
            on_trouble(trouble)
            await asyncio.sleep(WAIT_FOR_TOPICS_S)


async def _count_everywhere(nodes: Nodes, prefix: str) -> tuple[int, str]:
    """The same where every node says the same: the group's leader shares out what the node that it asks knows."""
    found, trouble = await count_partitions(nodes, prefix)
    for _ in nodes.known[1:]:
        another, trouble = await count_partitions(nodes, prefix)
        if another != found:
            return 0, trouble or f"the nodes of {nodes.cluster} do not all know the same topics yet"
    return found, trouble


async def watch_partitions(
    cluster: Cluster, prefix: str, hub: Hub, n_partitions: int, counted: Counted | None = None
) -> None:
    """Halt the hub when the number of partitions changes: streams would be elsewhere than their records.

    counted: is told when all nodes have said the same number as before; when somebody wants to know it, they are asked
    at once. Raises `PartitionsChangedError` once all topics are equal again: the worker must be started anew, to count.
    """
    votes, halted = Votes(), False
    counted = Counted(_now_ms) if counted is None else counted
    async with Nodes(cluster) as nodes:
        while True:
            is_sure = votes.agreed == n_partitions and votes.all_said(n_partitions) is not None
            await _pause(counted.wanted, COUNT_EVERY_S if is_sure else DOUBT_EVERY_S)
            asked_ms = counted.now_ms()
            try:
                found, trouble = await count_partitions(nodes, prefix)
            except BrokerError as error:
                log.debug("partitions cannot be counted now: %s", error)
                await asyncio.sleep(COUNT_EVERY_S)
                continue
            votes.add(nodes.node, nodes.known, found, asked_ms)
            agreed, said_ms = votes.agreed, votes.all_said(n_partitions)
            if agreed == n_partitions and said_ms is not None and not halted:
                counted.confirm(said_ms)
            if agreed is not None and agreed != n_partitions and not halted:
                halted = True
                now = f"topics had {n_partitions} partitions when this worker started, now {found}"
                await hub.halt(trouble or now)
            if agreed and halted:
                raise PartitionsChangedError(n_partitions, agreed)


async def _pause(wanted: asyncio.Event, limit_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await wanted.wait()
    await asyncio.sleep(min(limit_s, SPARE_S))


def _now_ms() -> int:
    return int(time.monotonic() * 1_000)
