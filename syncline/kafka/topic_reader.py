"""Reads offset spans of a deployment's topics, without a consumer group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from syncline.errors import BrokerTimeoutError, TopicError
from syncline.kafka.client import FETCH_MAX_WAIT_MS, broker_error, require_topics, start_consumer, stop_consumer
from syncline.kafka.cluster import Cluster
from syncline.kafka.routines import revive
from syncline.wire.contract import ALL_TOPICS, MEDIA_TOPICS

STALL_S = 60.0
"""Give up reading after so long without a record or an answer."""
_POLL_MS = 500
_MAX_RECORDS = 2_000


class OffsetSpan(NamedTuple):
    """Offsets [start, end) of one topic partition. `first_append_ms` is the first record's append time."""

    start: int = 0
    end: int = 0
    first_append_ms: int = 0


class TopicReader:
    """Reads spans of topics (named without prefix); an async context manager. Raises `BrokerError`.

    topics: the topics to read; all must exist, with the same number of partitions. fetch_bytes: fetch size a topic
    partition. committed: read as workers do: skip aborted records, and end before the first open transaction.
    """

    def __init__(
        self,
        cluster: Cluster,
        prefix: str,
        topics: Sequence[str] = ALL_TOPICS,
        fetch_bytes: int = 2**20,
        *,
        committed: bool = False,
    ) -> None:
        self._cluster, self._prefix, self._topics, self._fetch_bytes = cluster, prefix, topics, fetch_bytes
        self._committed = committed
        self._consumer: Any = None
        self.n_partitions = 0

    async def __aenter__(self) -> TopicReader:
        counts = await require_topics(self._cluster, [self._prefix + topic for topic in self._topics])
        if len(set(counts.values())) > 1:
            numbers = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise TopicError(f"all topics must have the same number of partitions, and have: {numbers}")
        self.n_partitions = next(iter(counts.values()))
        self._consumer = await self._start(
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS, max_partition_fetch_bytes=self._fetch_bytes
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await stop_consumer(self._consumer)

    async def _start(self, **options: Any) -> Any:
        try:
            return await start_consumer(
                self._cluster,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed" if self._committed else "read_uncommitted",
                **options,
            )
        except KafkaError as error:
            raise broker_error(self._cluster, error) from error

    async def spans(self, topics: Iterable[str]) -> dict[tuple[str, int], OffsetSpan]:
        """Return the present span of each partition, by (topic, partition)."""
        ends = await self.ends(topics)
        starts = await self._ask("beginning_offsets", [self._tp(*place) for place in ends])
        return {place: OffsetSpan(min(starts[self._tp(*place)], end), end) for place, end in ends.items()}

    async def since(
        self, spans: Mapping[tuple[str, int], OffsetSpan], times_ms: Mapping[tuple[str, int], int]
    ) -> dict[tuple[str, int], OffsetSpan]:
        """Return the part of each span that was appended at or after its time, ms since 1970."""
        found = await self._ask("offsets_for_times", {self._tp(*place): times_ms[place] for place in spans})
        parts: dict[tuple[str, int], OffsetSpan] = {}
        for place, span in spans.items():
            at = found[self._tp(*place)]
            if at is None or at.timestamp < times_ms[place]:  # no record is that recent; Tansu answers 0
                parts[place] = OffsetSpan(span.end, span.end)
            else:
                parts[place] = OffsetSpan(min(max(at.offset, span.start), span.end), span.end)
        return parts

    async def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """Return each partition's high watermark from fetches; with `committed`, its last stable offset."""
        places = [(topic, number) for topic in topics for number in range(self.n_partitions)]
        listed = await self._ask("end_offsets", [self._tp(*place) for place in places])
        # Tansu counts the last batch as one record here; fetches are right on all brokers.
        self._consumer.assign(list(listed))
        for tp, end in listed.items():
            self._consumer.seek(tp, end)
        deadline_s = asyncio.get_running_loop().time() + STALL_S
        while any(self._reached(tp) is None for tp in listed):
            await self._poll(10)
            await asyncio.sleep(0.005)
            if asyncio.get_running_loop().time() > deadline_s:
                raise BrokerTimeoutError(f"broker {self._cluster}: no high watermark for {STALL_S:.0f} s")
        return {place: max(listed[self._tp(*place)], self._reached(self._tp(*place))) for place in places}

    def _reached(self, tp: TopicPartition) -> Any:
        stable = self._consumer.last_stable_offset(tp) if self._committed else None
        return self._consumer.highwater(tp) if stable is None else stable

    async def read(self, topic: str, spans: Mapping[int, OffsetSpan]) -> AsyncIterator[tuple[int, list[Any]]]:
        """Yield aiokafka's records of one topic inside the spans, as (partition, records in offset order)."""
        left = {self._tp(topic, number): span for number, span in spans.items() if span.end > span.start}
        self._consumer.assign(list(left))
        for tp, span in left.items():
            self._consumer.seek(tp, span.start)
        clock_s = asyncio.get_running_loop().time
        last_s = clock_s()
        while left:
            for tp, raws in (await self._poll(_POLL_MS)).items():
                inside = [raw for raw in raws if tp in left and raw.offset < left[tp].end]
                if inside:
                    last_s = clock_s()
                    yield tp.partition, inside
            for tp in [tp for tp, span in left.items() if await self._consumer.position(tp) >= span.end]:
                del left[tp]
                self._consumer.pause(tp)
            if clock_s() - last_s > STALL_S:
                raise BrokerTimeoutError(f"broker {self._cluster}: nothing more of {topic} came for {STALL_S:.0f} s")

    async def committed(self, group: str) -> dict[tuple[str, int], int]:
        """Return a group's committed offsets on the media topics; partitions without one are left out."""
        places = [(topic, number) for topic in MEDIA_TOPICS for number in range(self.n_partitions)]
        consumer = await self._start(group_id=group)
        try:
            consumer.assign([self._tp(*place) for place in places])
            found = {place: await consumer.committed(self._tp(*place)) for place in places}
        except KafkaError as error:
            raise broker_error(self._cluster, error) from error
        finally:
            await stop_consumer(consumer)
        return {place: offset for place, offset in found.items() if offset is not None}

    def _tp(self, topic: str, number: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic, number)

    async def _ask(self, what: str, tps: Any) -> dict[TopicPartition, Any]:
        try:
            return await getattr(self._consumer, what)(tps)
        except KafkaError as error:
            raise broker_error(self._cluster, error) from error

    async def _poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        revive(self._consumer)
        try:
            return await self._consumer.getmany(timeout_ms=timeout_ms, max_records=_MAX_RECORDS)
        except KafkaError as error:
            raise broker_error(self._cluster, error) from error
