"""Reads a deployment's dead letters, and finds out which of them were sent again. Works without the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple, Self

from syncline import contract as c
from syncline.cluster import Cluster
from syncline.deadletters import decode_dead_letter
from syncline.errors import BrokerError, ContractError
from syncline.letter_selection import Letter, Selection
from syncline.retrying import retried_ids
from syncline.topic_reader import Span, TopicReader

CLOCK_MARGIN_MS = 600_000
"""A retry is looked for from so long before its letter was appended: the clocks of two brokers may differ."""


class Sought(NamedTuple):
    """A letter whose retry is sought: its id, and the media topic's partition and time from which it may be there."""

    id: str
    place: tuple[str, int]
    append_ms: int


class LetterBox:
    """Reads dead letters; an async context manager. Raises `BrokerError` where the broker or a topic is not there."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self._reader = TopicReader(cluster, prefix, (*c.MEDIA_TOPICS, c.DEADLETTER))
        self._cluster = cluster
        self.n_unreadable = 0
        """Records of the topic that are no dead letters."""

    async def __aenter__(self) -> Self:
        await self._reader.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._reader.__aexit__(*details)

    @property
    def n_partitions(self) -> int:
        """Of each topic."""
        return self._reader.n_partitions

    async def select(self, selection: Selection) -> AsyncIterator[list[Letter]]:
        """The letters that are there now and in the selection, some at a time; neighbours of a partition in order.

        Raises `BrokerError` where a single one is asked for that is not there.
        """
        n_found = 0
        async for number, raws in self._reader.read(c.DEADLETTER, await self._spans(selection)):
            letters = [letter for letter in self._decoded(number, raws) if selection.takes(letter)]
            n_found += len(letters)
            if letters:
                yield letters
        if selection.place is not None and not n_found:
            raise self._not_there(selection.place)

    async def retried(self, sought: Iterable[Sought]) -> set[str]:
        """The ids of those of the letters that were sent again, as far as the media topics go back."""
        wanted, times_ms = set[str](), dict[tuple[str, int], int]()
        for one in sought:
            wanted.add(one.id)
            since_ms = max(0, one.append_ms - CLOCK_MARGIN_MS)
            times_ms[one.place] = min(since_ms, times_ms.get(one.place, since_ms))
        found = set[str]()
        topics = sorted({topic for topic, _ in times_ms})
        all_spans = await self._reader.spans(topics) if topics else {}
        spans = await self._reader.since({place: all_spans[place] for place in times_ms}, times_ms)
        for topic in topics:
            async for _, raws in self._reader.read(topic, _of_topic(spans, topic)):
                found |= retried_ids((raw.headers for raw in raws), wanted)
        return found

    async def _spans(self, selection: Selection) -> Mapping[int, Span]:
        spans = await self._reader.spans([c.DEADLETTER])
        if selection.place is not None:
            partition, offset = selection.place
            span = spans.get((c.DEADLETTER, partition), Span())
            if not span.start <= offset < span.end:
                raise self._not_there(selection.place)
            return {partition: Span(offset, offset + 1)}
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
        return BrokerError(f"broker {self._cluster}: no dead letter in partition {partition} at offset {offset}")


def _of_topic(spans: Mapping[tuple[str, int], Span], topic: str) -> dict[int, Span]:
    return {number: span for (name, number), span in spans.items() if name == topic}
