"""The way through the decode threads: several chunks of a topic at once, taken out in offset order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

from streams.decisions.records import Record

CHUNK_RECORDS = 64
CHUNK_BYTES = 64 * 1024
"""Of one job for the decode threads: many small texts, or one picture."""
MAX_DECODING_RECORDS = 256
MAX_DECODING_BYTES = 16 * 2**20
"""Of one topic at most; more is not read until some is decoded."""

Decode = Callable[[str, int, Sequence[Any]], list[Record]]
"""`Decoder.decode`: (topic, partition, raw records) -> records, in the same order."""


class Decoding:
    """What of one topic and partition is with the decode threads, in offset order."""

    def __init__(self, topic: str, partition: int, pool: Executor, decode: Decode) -> None:
        self._topic, self._partition, self._pool, self._decode = topic, partition, pool, decode
        self._queue: deque[tuple[asyncio.Future[list[Record]] | int, int, int]] = deque()
        self._n_records = self._n_bytes = 0
        self.max_bytes = MAX_DECODING_BYTES
        """What it takes before it is full: its share of the worker's budget."""

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        return self._n_records >= MAX_DECODING_RECORDS or self._n_bytes >= self.max_bytes

    def put(self, raws: Sequence[Any], next_offset: int, on_done: Callable[[str], None]) -> None:
        """Decode `raws`; everything below `next_offset` is in the queue then, or is no record.

        `on_done` is called with the topic whenever something may have become ready to `take`.
        """
        loop = asyncio.get_running_loop()
        for chunk, n_bytes in chunks(raws):
            job = loop.run_in_executor(self._pool, self._decode, self._topic, self._partition, chunk)
            self._queue.append((job, len(chunk), n_bytes))
            self._n_records += len(chunk)
            self._n_bytes += n_bytes
            job.add_done_callback(lambda _: on_done(self._topic))
        self._queue.append((next_offset, 0, 0))
        on_done(self._topic)

    def take(self) -> Iterator[list[Record] | int]:
        """What is decoded at the head of the queue: records, or up to which offset all have been taken.

        Raises what decoding raised. That chunk keeps its place, so that nothing behind it is ever taken.
        """
        while self._queue:
            job, n_records, n_bytes = self._queue[0]
            if not isinstance(job, int) and not job.done():
                return
            done = job if isinstance(job, int) else job.result()
            self._queue.popleft()
            self._n_records -= n_records
            self._n_bytes -= n_bytes
            yield done


def chunks(raws: Sequence[Any]) -> Iterator[tuple[Sequence[Any], int]]:
    """Neighbours together, with the bytes of their values."""
    start, n_bytes = 0, 0
    for index, raw in enumerate(raws):
        n_bytes += len(raw.value or b"")
        if n_bytes >= CHUNK_BYTES or index - start + 1 >= CHUNK_RECORDS:
            yield raws[start : index + 1], n_bytes
            start, n_bytes = index + 1, 0
    if start < len(raws):
        yield raws[start:], n_bytes
