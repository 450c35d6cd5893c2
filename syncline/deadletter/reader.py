"""Reads a deployment's dead letters, and which of them were sent again: by two headers that say so, and of what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any, NamedTuple, Self

from syncline.deadletter.filter import DeadLetterFilter, Letter
from syncline.errors import BrokerError, ContractError
from syncline.kafka.cluster import Cluster
from syncline.kafka.topic_reader import OffsetSpan, TopicReader
from syncline.wire import contract as c
from syncline.wire.deadletters import DeadLetter, decode_dead_letter
from syncline.wire.placement import partition_for
from syncline.wire.timestamps import format_time

_OURS = (c.H_RETRIES, c.H_RETRY_OF)


class Retry(NamedTuple):
    """A record to send again: unprefixed topic, key, value (None where the original's was null) and headers."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def why_not(letter: DeadLetter) -> str:
    """Why a dead letter cannot be sent again as the record that it was, or "" where it can."""
    if letter.cut:
        return f"not all of the original is here ({', '.join(letter.cut)}); it may still be at its origin"
    if letter.topic not in c.MEDIA_TOPICS:
        return f"its origin {letter.topic[:64]!r} is no media topic"
    if not letter.key:
        return "it has no key, so it belongs in no partition"
    return ""


def n_retries(letter: DeadLetter) -> int:
    """How many times the original had been sent again when it became this dead letter."""
    value = dict(letter.headers).get(c.H_RETRIES, b"")
    return int(value) if value.isdigit() and len(value) <= len(str(c.MAX_RETRIES)) else 0


def retry(letter: DeadLetter) -> Retry:
    """The record to send to the topic that the original was in; only for letters that `why_not` has nothing against.

    Where the original had no event time, its own timestamp was it: the retry says so, since it gets a new one.
    """
    headers = [(name, value) for name, value in letter.headers if name not in _OURS]
    if letter.reason != "bad_time" and all(name != c.H_TIME for name, _ in headers):
        headers.append((c.H_TIME, format_time(letter.timestamp_ms).encode()))
    headers.append((c.H_RETRIES, str(min(n_retries(letter) + 1, c.MAX_RETRIES)).encode()))
    headers.append((c.H_RETRY_OF, letter.id.encode()))
    return Retry(letter.topic, letter.key or b"", letter.data, headers)


def place_of_retries(letter: DeadLetter, n_partitions: int) -> tuple[str, int]:
    """The topic and partition in which its retries are, if there are any."""
    return letter.topic, partition_for(letter.key or b"", n_partitions)


def retried_ids(headers_of_records: Iterable[Iterable[tuple[str, bytes | None]]], wanted: Collection[str]) -> set[str]:
    """Which of the wanted letters some records of the media topics are retries of."""
    found: set[str] = set()
    for headers in headers_of_records:
        for name, value in headers:
            if name == c.H_RETRY_OF and value and (letter_id := value.decode(errors="replace")) in wanted:
                found.add(letter_id)
    return found


CLOCK_MARGIN_MS = 600_000
"""A retry is looked for from so long before its letter was appended: the clocks of two brokers may differ."""


class Sought(NamedTuple):
    """A letter whose retry is sought: its id, and the media topic's partition and time from which it may be there."""

    id: str
    place: tuple[str, int]
    append_ms: int


class DeadLetterReader:
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

    async def select(self, selection: DeadLetterFilter) -> AsyncIterator[list[Letter]]:
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
        return BrokerError(f"broker {self._cluster}: no dead letter in partition {partition} at offset {offset}")


def _of_topic(spans: Mapping[tuple[str, int], OffsetSpan], topic: str) -> dict[int, OffsetSpan]:
    return {number: span for (name, number), span in spans.items() if name == topic}
