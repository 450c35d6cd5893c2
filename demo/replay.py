"""Sends the scenario's records at their times, and reads all results into the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from aiokafka.structs import RecordMetadata

from demo.ledger import Ledger
from demo.scenario import PlannedEvent, Scenario
from syncline.consumer import READABLE_TOPICS, ResultConsumer
from syncline.kafka.client import start_producer
from syncline.kafka.cluster import Cluster
from syncline.kafka.security import SecuritySettings
from syncline.producer import Delivery, EventFields, MediaProducer
from syncline.wire.contract import media_topic
from syncline.wire.events import MediaEvent, build_headers
from syncline.wire.placement import partition_for

SOURCE = "urn:syncline:demo"


class Replay:
    """One run of a scenario against a broker."""

    def __init__(
        self, scenario: Scenario, brokers: str, security: SecuritySettings, topic_prefix: str, ledger: Ledger
    ) -> None:
        self._scenario, self._prefix, self._ledger = scenario, topic_prefix, ledger
        self._brokers, self._security = brokers, security
        self._files: dict[Path, bytes] = {}
        self._start_ms = 0
        self.all_sent = asyncio.Event()

    async def send(self, n_partitions: int) -> None:
        """Send every record at its time; return when the broker has all of them."""
        producing = MediaProducer(
            self._brokers, topic_prefix=self._prefix, source=SOURCE, linger_ms=0, security=self._security
        )
        async with producing as producer:
            start_s = time.monotonic()
            self._start_ms = time.time_ns() // 1_000_000
            deliveries: list[asyncio.Task[None]] = []
            for planned in self._scenario.records:
                await asyncio.sleep(max(0.0, start_s + planned.at_ms / 1000 - time.monotonic()))
                deliveries.append(asyncio.create_task(self._deliver(producer, planned, n_partitions)))
                await asyncio.sleep(0)
            await asyncio.gather(*deliveries)
        self.all_sent.set()

    async def _deliver(self, producer: MediaProducer, planned: PlannedEvent, n_partitions: int) -> None:
        delivery = await (self._misroute(planned, n_partitions) if planned.misrouted else self._send(producer, planned))
        origin = (delivery.topic, delivery.partition, delivery.offset)
        self._ledger.note_sent(origin, planned, time.monotonic())

    async def _send(self, producer: MediaProducer, planned: PlannedEvent) -> Delivery:
        fields: EventFields = {"time_ms": self._start_ms + planned.time_ms, "lane": planned.lane, "id": planned.id}
        if planned.language:
            fields["language"] = planned.language
        if planned.content_type:
            fields["content_type"] = planned.content_type
        if planned.text is not None:
            fields["text"] = planned.text
            return await producer.send(planned.stream, planned.modality, **fields)
        return await producer.send(planned.stream, planned.modality, self._read(planned), **fields)

    def _read(self, planned: PlannedEvent) -> bytes:
        path = planned.path
        if path is None:
            return (planned.text or "").encode()
        if path not in self._files:
            self._files[path] = path.read_bytes()
        return self._files[path]

    async def _misroute(self, planned: PlannedEvent, n_partitions: int) -> Delivery:
        """Send to the wrong partition, as a client with another partitioner does."""
        key = planned.stream.encode()
        event = MediaEvent(
            stream=planned.stream,
            modality=planned.modality,
            source=SOURCE,
            id=planned.id,
            time_ms=self._start_ms + planned.time_ms,
            content_type="text/plain; charset=utf-8",
        )
        topic = media_topic(planned.modality)
        wrong = (partition_for(key, n_partitions) + 1) % n_partitions
        client = await start_producer(Cluster.of(self._brokers, self._security))
        try:
            sent: RecordMetadata = await client.send_and_wait(
                self._prefix + topic, self._read(planned), key, wrong, headers=build_headers(event)
            )
        finally:
            await client.stop()
        return Delivery(planned.id, topic, wrong, sent.offset)

    async def read(self, on_result: Callable[[], None]) -> None:
        """Read results into the ledger until cancelled."""
        reading = ResultConsumer(self._brokers, READABLE_TOPICS, topic_prefix=self._prefix, security=self._security)
        async with reading as results:
            async for received in results:
                self._ledger.note(received, time.monotonic())
                on_result()
