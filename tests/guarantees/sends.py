"""Sends a workload at a steady pace and keeps account: what the broker took, what it did not, what nobody knows."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from syncline.kafka.client import start_producer
from syncline.kafka.cluster import as_cluster
from syncline.send_log import Send, SendOutcome, outcome_of
from tests.guarantees.media import Media

LINGER_MS = 5
TIMEOUT_MS = 1_500
"""Of a producer that gives up: short, so that an outage makes sends of which nothing is known."""


class Sender:
    """Sends records, at most `per_s` a second.

    `gives_up`: by a producer without idempotence that calls a send failed after a short while; else one that waits
    for the broker as long as it takes.
    """

    def __init__(
        self, brokers: str, prefix: str, records: Sequence[Media], per_s: float, *, gives_up: bool = False
    ) -> None:
        self._brokers, self._prefix, self._records, self._per_s = brokers, prefix, records, per_s
        self._gives_up = gives_up
        self.log: list[Send] = []
        """In the order in which the broker answered."""

    def counts(self) -> Counter[SendOutcome]:
        """How many sends ended in which way so far."""
        return Counter(send.outcome for send in self.log)

    async def run(self) -> None:
        """Send all; returns when each has its answer."""
        producer = await self._producer()
        try:
            start_s, answers = time.monotonic(), list[asyncio.Task[None]]()
            for number, media in enumerate(self._records):
                if (ahead_s := number / self._per_s - (time.monotonic() - start_s)) > 0.01:
                    await asyncio.sleep(ahead_s)
                try:
                    sent = await self._enqueue(producer, media)
                except KafkaError as error:
                    self.note(media, error=error)
                else:
                    answers.append(asyncio.create_task(self._answer(media, sent)))
            await asyncio.gather(*answers)
        finally:
            await producer.stop()

    async def _producer(self) -> Any:
        if not self._gives_up:
            return await start_producer(as_cluster(self._brokers), linger_ms=LINGER_MS)
        producer: Any = AIOKafkaProducer(
            bootstrap_servers=self._brokers, acks="all", linger_ms=LINGER_MS, request_timeout_ms=TIMEOUT_MS
        )
        await producer.start()
        return producer

    async def _enqueue(self, producer: Any, media: Media) -> Any:
        topic = self._prefix + media.topic
        return await producer.send(topic, media.value, media.key, media.partition, headers=media.headers)

    async def _answer(self, media: Media, sent: Any) -> None:
        try:
            metadata = await sent
        except KafkaError as error:
            self.note(media, error=error)
        else:
            self.note(media, metadata)

    def note(self, media: Media, metadata: Any = None, error: Exception | None = None) -> None:
        """A send has ended, this sender's or another one's of the run."""
        event = media.event
        one = Send(
            id=event.id,
            source=event.source,
            stream=event.stream,
            lane=event.lane,
            topic=media.topic,
            outcome="ok" if error is None else outcome_of(error),
            partition=-1 if metadata is None else metadata.partition,
            offset=-1 if metadata is None else metadata.offset,
            error="" if error is None else repr(error),
        )
        self.log.append(one)
