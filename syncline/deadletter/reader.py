"""Reads a deployment's dead letters, and finds their retries by the header that names the letter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any, Self

from syncline.deadletter.filter import DeadLetterFilter, Letter
from syncline.errors import BrokerError, ContractError
from syncline.kafka.cluster import Cluster
from syncline.kafka.topic_reader import OffsetSpan, TopicReader
from syncline.wire import contract as c
from syncline.wire.deadletters import decode_dead_letter


def retried_ids(headers_of_records: Iterable[Iterable[tuple[str, bytes | None]]], wanted: Collection[str]) -> set[str]:
    """Return those of the wanted letters that records of the media topics are retries of."""
    found: set[str] = set()
    for headers in headers_of_records:
        for name, value in headers:
            if name == c.H_RETRY_OF and value and (letter_id := value.decode(errors="replace")) in wanted:
                found.add(letter_id)
    return found


class DeadLetterReader:
    """Reads dead letters; an async context manager. Raises `BrokerError` if the broker or a topic is missing."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self._reader = TopicReader(cluster, prefix, (*c.MEDIA_TOPICS, c.DEADLETTER))
        self.cluster, self.prefix = cluster, prefix
        self.n_unreadable = 0
        """The number of records that are no dead letters."""

    async def __aenter__(self) -> Self:
        await self._reader.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._reader.__aexit__(*details)

    @property
    def n_partitions(self) -> int:
        """The number of partitions of each topic."""
        return self._reader.n_partitions

    async def select(self, selection: DeadLetterFilter) -> AsyncIterator[list[Letter]]:
        """Yield the present letters of a selection in lists; each partition's are in order.

        Raises `BrokerError` if the selection names a single letter that does not exist.
        """
        n_found = 0
        async for number, raws in self._reader.read(c.DEADLETTER, await self._spans(selection)):
            letters = [letter for letter in self._decoded(number, raws) if selection.takes(letter)]
            n_found += len(letters)
            if letters:
                yield letters
        if selection.place is not None and not n_found:
            raise self._not_there(selection.place)

    async def retried(self, ids: Collection[str], since_ms: Mapping[tuple[str, int], int]) -> set[str]:
        """Return those of the letters that were sent again. since_ms: where the search of a media partition starts."""
        found = set[str]()
        topics = sorted({topic for topic, _ in since_ms})
        all_spans = await self._reader.spans(topics) if topics else {}
        spans = await self._reader.since({place: all_spans[place] for place in since_ms}, since_ms)
        for topic in topics:
            async for _, raws in self._reader.read(topic, _of_topic(spans, topic)):
                found |= retried_ids((raw.headers for raw in raws), ids)
        return found

    async def _spans(self, selection: DeadLetterFilter) -> Mapping[int, OffsetSpan]:
        spans = await self._reader.spans([c.DEADLETTER])
        if selection.place is not None:
            partition, offset = selection.place
            span = spans.get((c.DEADLETTER, partition), OffsetSpan())
            if not span.start <= offset < span.end:
                raise self._not_there(selection.place)
            return {partition: OffsetSpan(offset, offset + 1)}
        if selection.since_ms is not None:
            spans = await self._reader.since(spans, dict.fromkeys(spans, selection.since_ms))
        return _of_topic(spans, c.DEADLETTER)

    def _decoded(self, partition: int, raws: Iterable[Any]) -> list[Letter]:
        letters: list[Letter] = []
        for raw in raws:
            try:
                letter = decode_dead_letter(raw.key, raw.value, raw.headers)
            except ContractError:
                self.n_unreadable += 1
            else:
                letters.append(Letter(partition, raw.offset, raw.timestamp, letter, len(raw.value or b"")))
        return letters

    def _not_there(self, place: tuple[int, int]) -> BrokerError:
        partition, offset = place
        return BrokerError(f"broker {self.cluster}: no dead letter in partition {partition} at offset {offset}")


def _of_topic(spans: Mapping[tuple[str, int], OffsetSpan], topic: str) -> dict[int, OffsetSpan]:
    return {number: span for (name, number), span in spans.items() if name == topic}
