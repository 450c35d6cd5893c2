"""streams/partition/decision_log.py: an entry that the broker does not take is tried again, and that is told."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, NotEnoughReplicasError

from streams.decisions.entries import LogRecord
from streams.decisions.owner import PartitionOwner
from streams.decisions.recovery import ReadLog
from streams.join.settings import JoinSettings
from streams.partition import decision_log
from streams.partition.decision_log import DecisionLog
from streams.settings import WorkerSettings
from syncline.kafka.topics import MAX_ENTRY_BYTES


class Refusing:
    """A producer whose topic takes nothing at first."""

    def __init__(self, n_refused: int, error: type[KafkaError] = NotEnoughReplicasError) -> None:
        self.n_left, self.error, self.values = n_refused, error, list[bytes]()
        self.seen: list[str] = []
        self.log: DecisionLog

    async def send(self, topic: str, partition: int, records: list[Any]) -> int:
        """Refuse, or note the entry; note what the log says of itself meanwhile."""
        self.seen.append(self.log.failing)
        if self.n_left > 0:
            self.n_left -= 1
            raise self.error
        self.values += [record.value for record in records]
        return len(records)


async def _claim(producer: Refusing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_log, "RETRY_S", 0.001)
    owner = PartitionOwner(JoinSettings(), "w", 1, {"media.image": 0}, 0)
    context: Any = Mock(settings=WorkerSettings(), producer=producer, now_ms=lambda: 0)
    producer.log = DecisionLog(context, 0, owner)
    async with asyncio.timeout(300):
        await producer.log.claim()


async def test_a_claim_is_tried_until_the_broker_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, under one number; why it fails is said as long as it does."""
    producer = Refusing(2)
    await _claim(producer, monkeypatch)
    assert len(producer.values) == 1
    assert ["appending decisions fails" in said for said in producer.seen] == [False, True, True]
    assert producer.log.failing == ""


async def test_a_topic_that_takes_too_small_records_is_told_with_what_it_must_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No entry is larger than that, so whoever mends the topic need not guess."""
    producer = Refusing(1, MessageSizeTooLargeError)
    await _claim(producer, monkeypatch)
    assert f"syncline.decisions must take records of {MAX_ENTRY_BYTES} bytes (max.message.bytes)" in producer.seen[1]


async def test_a_recovery_in_steps_lets_everything_else_have_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request for nothing asks the broker for nothing, and the event loop goes round."""
    reads, n_turns = list[tuple[int, int]](), 0

    class Reader:
        """A log of which nobody reads anything."""

        def __init__(self, *_: object) -> None:
            pass

        async def __aenter__(self) -> Reader:
            return self

        async def __aexit__(self, *_: object) -> None:
            pass

        async def bounds(self) -> tuple[int, int]:
            """Three entries."""
            return 0, 3

        async def read(self, start: int, stop: int) -> list[LogRecord]:
            """What is asked for."""
            reads.append((start, stop))
            return []

    def recovery(*_: object) -> Generator[ReadLog, list[LogRecord], None]:
        assert (yield ReadLog(0, 3)) == []
        for _ in range(5):
            assert (yield ReadLog(0, 0)) == []
        assert n_turns >= 5

    async def count() -> None:
        nonlocal n_turns
        while True:
            n_turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(decision_log, "LogReader", Reader)
    context: Any = Mock(settings=WorkerSettings(), recoveries=asyncio.Lock(), now_ms=lambda: 0)
    counting = asyncio.create_task(count())
    async with asyncio.timeout(300):
        await DecisionLog(context, 0, Mock(recovery=recovery)).recover(lambda _: None)
    counting.cancel()
    assert reads == [(0, 3)]
