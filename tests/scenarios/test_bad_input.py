"""Ten thousand pieces of bad input through a running worker that decodes, among good events of several streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from syncline.kafka.client import stop_consumer
from syncline.kafka.tolerant_fetch import read_any_batch
from syncline.kafka.topics import TopicPlan, create_topics
from syncline.wire.contract import DEADLETTER, FUSED, UNFUSED
from tests.scenarios.test_trickle import rss_mb
from tests.support.bad_input.corpus import bad_input
from tests.support.bad_input.mix import Line, SentMix, mixed, send_mixed
from tests.support.bad_input.seen import Seen
from tests.support.bad_input.texts import ten_megabytes_of_marks, text_case
from tests.support.brokers import TestBroker
from tests.support.tiny_model import write_tiny_model
from tests.support.worker_process import WorkerProcess

N_PARTITIONS = 4
N_BAD, N_MOMENTS = 10_000, 1_500
"""Of each half. The first warms the worker up: its buffers grow to what this input needs."""
MAX_EVENT_BYTES = 12_000_000
"""So that ten megabytes of accents come as far as the text processor."""
MAX_RECORD_BYTES = 17_000_000
MAX_GROWTH_AT_WORK_MB, MAX_GROWTH_MB = 100, 80
"""Of resident memory from the end of the first half on: a third through the second, and at its end.

The second half's records hold 90 MB, values and headers. Over six such halves the level moved by 17 MB and
did not rise; what the allocator keeps of the largest records may come late.
"""
LIMIT_S = 300.0


class Reader:
    """Reads the result topics into `seen`, and notes the worker's memory; an async context manager."""

    def __init__(self, broker: TestBroker, prefix: str, seen: Seen, pid: int) -> None:
        self._prefix, self._seen, self._pid = prefix, seen, pid
        self._consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=broker.address, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        read_any_batch(self._consumer)
        self.levels_mb: dict[int, float] = {}
        """Resident memory by how many bad records had ended."""

    async def __aenter__(self) -> Reader:
        await self._consumer.start()
        topics = (self._prefix + topic for topic in (FUSED, UNFUSED, DEADLETTER))
        self._consumer.assign([TopicPartition(topic, number) for topic in topics for number in range(N_PARTITIONS)])
        return self

    async def __aexit__(self, *_: object) -> None:
        await stop_consumer(self._consumer)

    async def read(self, n_bad: int, marks: Iterable[int] = ()) -> None:
        """Return when `n_bad` bad records, and all that was sent with them, have ended; memory at each of `marks`."""
        async with asyncio.timeout(LIMIT_S):
            while len(self._seen.sent.bad) < n_bad or self._seen.n_left:
                for tp, records in (await self._consumer.getmany(timeout_ms=200)).items():
                    for record in records:
                        self._seen.take(tp.topic.removeprefix(self._prefix), record)
                n_ended = len(self._seen.outcomes.by_record.keys() & self._seen.sent.bad.keys())
                self._note(mark for mark in marks if n_ended >= mark)
        self._note([n_bad])

    def _note(self, marks: Iterable[int]) -> None:
        for mark in marks:
            self.levels_mb.setdefault(mark, rss_mb(self._pid))


def half(number: int) -> Iterator[Line]:
    """The corpus among good moments, in each half with other turned bits, and with ten megabytes of accents."""
    ten_megabytes = text_case("too many marks", "10 MB", ten_megabytes_of_marks(), "too_many_bytes")
    cases = [*bad_input(N_BAD - 1, number, MAX_EVENT_BYTES), ten_megabytes]
    return mixed(cases, N_MOMENTS, first=number * N_MOMENTS)


@pytest.mark.timing
@pytest.mark.slow
async def test_bad_input_costs_nobody_else_anything(broker: TestBroker, topic_prefix: str, tmp_path: Path) -> None:
    """Each bad record ends for its own reason, with its own bytes; good events are fused, in time; memory is flat."""
    plan = TopicPlan(n_partitions=N_PARTITIONS, prefix=topic_prefix, max_message_bytes=MAX_RECORD_BYTES)
    await create_topics(broker.address, plan)
    seen, model = Seen(SentMix()), write_tiny_model(tmp_path / "model")
    halves = [list(half(number)) for number in (0, 1)]  # before all else: to make them takes seconds, a stall otherwise
    settings = {"model": model, "max_event_bytes": MAX_EVENT_BYTES, "max_wait_ms": 1_000}
    async with (
        WorkerProcess(broker, topic_prefix, **settings) as worker,
        Reader(broker, topic_prefix, seen, worker.pid) as reader,
    ):
        await worker.until_ready()
        for number, lines in enumerate(halves):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(
                    send_mixed(broker.address, topic_prefix, lines, N_PARTITIONS, MAX_RECORD_BYTES, seen.sent)
                )
                tasks.create_task(reader.read((number + 1) * N_BAD, [N_BAD + N_BAD // 3] if number else []))
        assert worker.running, worker.log()[-3000:]
    assert list(seen.wrong()) == []
    assert seen.wrong_of_good() == []
    assert list(seen.stalls()) == []
    warm_mb, third_mb, end_mb = (reader.levels_mb[n] for n in (N_BAD, N_BAD + N_BAD // 3, 2 * N_BAD))
    assert third_mb - warm_mb < MAX_GROWTH_AT_WORK_MB, reader.levels_mb
    assert end_mb - warm_mb < MAX_GROWTH_MB, reader.levels_mb
