"""Queues chunks of records for the decode threads and takes them out in offset order."""

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
"""Size of a job for the decode threads: many small texts, or one picture."""
MAX_DECODING_RECORDS = 256
MAX_DECODING_BYTES = 16 * 2**20
"""Limit of one topic; above it reading pauses until some is decoded."""

Decode = Callable[[str, int, Sequence[Any], Set[int]], list[Record]]
"""`Decoder.decode`: (topic, partition, raw records, accepted offsets) -> records, in order."""
MayGo = Callable[[list[Record], int], bool]
"""(decoded records, when they were read) -> whether they may go on."""


@dataclass(slots=True, eq=False)
class _Chunk:
    """Consecutive records before and after decoding; `n_bytes` is updated to their size after it."""

    job: asyncio.Future[list[Record]]
    n_records: int
    n_bytes: int
    read_ms: int


class Decoding:
    """The decode queue of one topic partition, in offset order."""

    def __init__(self, topic: str, partition: int, pool: Executor, decode: Decode) -> None:
        self._topic, self._partition, self._pool, self._decode = topic, partition, pool, decode
        self._queue: deque[_Chunk | int] = deque()
        self._n_records = self._n_bytes = 0
        self.max_bytes = MAX_DECODING_BYTES
        """Its share of the worker's budget, above which it is full."""

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def full(self) -> bool:
        """Whether reading should pause."""
        return self._n_records >= MAX_DECODING_RECORDS or self._n_bytes >= self.max_bytes

    def put(
        self,
        raws: Sequence[Any],
        next_offset: int,
        on_done: Callable[[str], None],
        accepted: Set[int] = frozenset(),
        now_ms: int = 0,
    ) -> None:
        """Decode `raws`, read by `now_ms`; afterwards every record below `next_offset` has been queued.

        on_done: called with the topic when something may be ready to `take`. accepted: see `Decoder.decode`.
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
        """Count a decoded chunk's size, since pictures are larger than their files."""
        if chunk not in self._queue or chunk.job.cancelled() or chunk.job.exception() is not None:
            return
        more = max(0, sum(record.n_bytes for record in chunk.job.result()) - chunk.n_bytes)
        chunk.n_bytes += more
        self._n_bytes += more

    def take(self, may_go: MayGo = lambda _records, _read_ms: True) -> Iterator[list[Record] | int]:
        """Yield what is decoded at the head of the queue: records, or the offset up to which all have been taken.

        may_go: tells whether records may go on; otherwise they keep their place. Raises the decoder's error. That chunk
        keeps its place, so that nothing after it is ever taken.
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
    """Yield consecutive records in chunks, each with its size in bytes."""
    start, value_bytes, n_bytes = 0, 0, 0
    for index, raw in enumerate(raws):
        value_bytes += len(raw.value or b"")
        n_bytes += raw_bytes(raw)
        if value_bytes >= CHUNK_BYTES or index - start + 1 >= CHUNK_RECORDS:
            yield raws[start : index + 1], n_bytes
            start, value_bytes, n_bytes = index + 1, 0, 0
    if start < len(raws):
        yield raws[start:], n_bytes
