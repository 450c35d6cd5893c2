"""streams/partition/decode_queue.py: several chunks at once, taken out in order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from streams.decisions.records import Record
from streams.partition.decode_queue import (
    CHUNK_BYTES,
    CHUNK_RECORDS,
    MAX_DECODING_BYTES,
    MAX_DECODING_RECORDS,
    Decoding,
    chunks,
)
from streams.payload import raw_bytes
from tests.support.raw import raw


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def plain(topic: str, partition: int, raws: Sequence[Any], accepted: Set[int]) -> list[Record]:
    """Decode without looking."""
    return [Record(one.offset, None, None, 1, one) for one in raws]


def test_chunks_are_small_in_records_and_bytes_and_lose_nothing() -> None:
    """Many small ones go together, a large one alone."""
    raws = [raw(offset=n, value=b"x" * (CHUNK_BYTES if n % 100 == 50 else 1)) for n in range(300)]
    found = list(chunks(raws))
    assert [one.offset for chunk, _ in found for one in chunk] == list(range(300))
    assert max(len(chunk) for chunk, _ in found) <= CHUNK_RECORDS
    assert all(n_bytes == sum(map(raw_bytes, chunk)) for chunk, n_bytes in found)


async def test_a_slow_chunk_holds_back_those_behind_it(pool: ThreadPoolExecutor) -> None:
    """Though they are done before: items reach the owner in offset order."""
    let_go, done = threading.Event(), asyncio.Event()
    n_done: list[int] = []

    def decode(topic: str, partition: int, raws: Sequence[Any], accepted: Set[int]) -> list[Record]:
        if raws[0].offset == 0:
            let_go.wait(10)
        return plain(topic, partition, raws, accepted)

    decoding = Decoding("media.image", 0, pool, decode)

    def on_done(topic: str) -> None:
        n_done.append(1)
        done.set()

    decoding.put([raw(offset=n) for n in range(3 * CHUNK_RECORDS)], 3 * CHUNK_RECORDS, on_done)
    async with asyncio.timeout(300):
        while len(n_done) < 3:  # the call at the end of put, and two chunks
            done.clear()
            await done.wait()
        assert list(decoding.take()) == []
        let_go.set()
        taken: list[Any] = []
        while decoding:
            done.clear()
            taken += decoding.take()
            if decoding:
                await done.wait()
    assert [record.offset for chunk in taken[:-1] for record in chunk] == list(range(3 * CHUNK_RECORDS))
    assert taken[-1] == 3 * CHUNK_RECORDS


async def test_it_is_full_until_some_is_taken(pool: ThreadPoolExecutor) -> None:
    """What is with the threads is not held by the owner yet, so it has a limit of its own."""
    decoding = Decoding("media.image", 0, pool, plain)
    all_done = asyncio.Event()
    n_left = [MAX_DECODING_RECORDS // CHUNK_RECORDS + 1]

    def on_done(topic: str) -> None:
        n_left[0] -= 1
        if not n_left[0]:
            all_done.set()

    decoding.put([raw(offset=n) for n in range(MAX_DECODING_RECORDS)], MAX_DECODING_RECORDS, on_done)
    assert decoding.full
    await asyncio.wait_for(all_done.wait(), 300)
    assert sum(len(taken) for taken in decoding.take() if isinstance(taken, list)) == MAX_DECODING_RECORDS
    assert not decoding.full
    assert not decoding


async def decoded_without_taking(decoding: Decoding, raws: Sequence[Any]) -> None:
    """Put records and wait until all are decoded."""
    done, n_left = asyncio.Event(), [len(list(chunks(raws))) + 1]

    def on_done(topic: str) -> None:
        n_left[0] -= 1
        if not n_left[0]:
            done.set()

    decoding.put(raws, len(raws), on_done)
    await asyncio.wait_for(done.wait(), 300)


async def test_headers_fill_it_as_values_do(pool: ThreadPoolExecutor) -> None:
    """A text of a byte may have a megabyte of headers."""
    decoding = Decoding("media.image", 0, pool, plain)
    raws = [raw(offset=n, headers=[("x", b"h" * 2**20)]) for n in range(MAX_DECODING_BYTES // 2**20)]
    await decoded_without_taking(decoding, raws[1:])
    assert not decoding.full
    await decoded_without_taking(decoding, raws[:1])
    assert decoding.full
    for _ in decoding.take():
        pass
    assert not decoding.full


async def test_what_came_of_records_fills_it_too(pool: ThreadPoolExecutor) -> None:
    """A small file may be a large picture; it waits here for those before it."""

    def decode(topic: str, partition: int, raws: Sequence[Any], accepted: Set[int]) -> list[Record]:
        return [Record(one.offset, None, None, MAX_DECODING_BYTES // 2, one) for one in raws]

    decoding = Decoding("media.image", 0, pool, decode)
    await decoded_without_taking(decoding, [raw(offset=0)])
    assert not decoding.full
    await decoded_without_taking(decoding, [raw(offset=1)])
    assert decoding.full
    assert sum(len(taken) for taken in decoding.take() if isinstance(taken, list)) == 2
    assert not decoding.full
