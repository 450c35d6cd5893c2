"""The way through the decode threads: several chunks of a topic at once, taken out in offset order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from streams.decisions.records import Record
from streams.payload import raw_bytes

CHUNK_RECORDS = 64
CHUNK_BYTES = 64 * 1024
"""Of the values of one job for the decode threads: many small texts, or one picture."""
MAX_DECODING_RECORDS = 256
MAX_DECODING_BYTES = 16 * 2**20
"""Of one topic at most; more is not read until some is decoded."""

Decode = Callable[[str, int, Sequence[Any], Set[int]], list[Record]]
"""`Decoder.decode`: (topic, partition, raw records, offsets that are accepted) -> records, in the same order."""
MayGo = Callable[[list[Record], int], bool]
"""Of decoded records and when they were read: whether they may go on."""


@dataclass(slots=True, eq=False)
class _Chunk:
    """Neighbours that are being decoded, or are; `n_bytes` grows to what they hold then."""

    job: asyncio.Future[list[Record]]
    n_records: int
    n_bytes: int
    read_ms: int


class Decoding:
    """What of one topic and partition is with the decode threads, in offset order."""

    def __init__(self, topic: str, partition: int, pool: Executor, decode: Decode) -> None:
        self._topic, self._partition, self._pool, self._decode = topic, partition, pool, decode
        self._queue: deque[_Chunk | int] = deque()
        self._n_records = self._n_bytes = 0
        self.max_bytes = MAX_DECODING_BYTES
        """What it takes before it is full: its share of the worker's budget."""

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        return self._n_records >= MAX_DECODING_RECORDS or self._n_bytes >= self.max_bytes

    def put(
        self,
        raws: Sequence[Any],
        next_offset: int,
        on_done: Callable[[str], None],
        accepted: Set[int] = frozenset(),
        now_ms: int = 0,
    ) -> None:
        """Decode `raws`, read by `now_ms`; everything below `next_offset` is in the queue then, or is no record.

        `on_done` is called with the topic whenever something may have become ready to `take`. `accepted`: offsets of
        records that the log has taken for good (`Decoder.decode`).
        """
        loop = asyncio.get_running_loop()

        def on_decoded(chunk: _Chunk) -> None:
            self._grow(chunk)
            on_done(self._topic)

        for some, n_bytes in chunks(raws):
            job = loop.run_in_executor(self._pool, self._decode, self._topic, self._partition, some, accepted)
            chunk = _Chunk(job, len(some), n_bytes, now_ms)
            self._queue.append(chunk)
            self._n_records += chunk.n_records
            self._n_bytes += chunk.n_bytes
            job.add_done_callback(lambda _, chunk=chunk: on_decoded(chunk))
        self._queue.append(next_offset)
        on_done(self._topic)

    def _grow(self, chunk: _Chunk) -> None:
        """Count what came of a chunk, which waits here for those before it: pictures are larger than their files."""
        if chunk not in self._queue or chunk.job.cancelled() or chunk.job.exception() is not None:
            return
        more = max(0, sum(record.n_bytes for record in chunk.job.result()) - chunk.n_bytes)
        chunk.n_bytes += more
        self._n_bytes += more

    def take(self, may_go: MayGo = lambda _records, _read_ms: True) -> Iterator[list[Record] | int]:
        """What is decoded at the head of the queue: records, or up to which offset all have been taken.

        may_go: asked with records and when they were read; where they may not go yet, they keep their place.
        Raises what decoding raised. That chunk keeps its place, so that nothing behind it is ever taken.
        """
        while self._queue:
            first = self._queue[0]
            if isinstance(first, int):
                self._queue.popleft()
                yield first
                continue
            if not (first.job.done() and may_go(first.job.result(), first.read_ms)):
                return
            done = first.job.result()
            self._queue.popleft()
            self._n_records -= first.n_records
            self._n_bytes -= first.n_bytes
            yield done


def chunks(raws: Sequence[Any]) -> Iterator[tuple[Sequence[Any], int]]:
    """Neighbours together, with all the bytes that they hold."""
    start, value_bytes, n_bytes = 0, 0, 0
    for index, raw in enumerate(raws):
        value_bytes += len(raw.value or b"")
        n_bytes += raw_bytes(raw)
        if value_bytes >= CHUNK_BYTES or index - start + 1 >= CHUNK_RECORDS:
            yield raws[start : index + 1], n_bytes
            start, value_bytes, n_bytes = index + 1, 0, 0
    if start < len(raws):
        yield raws[start:], n_bytes
