"""streams/partition/decision_log.py: an entry that the broker does not take is tried again, and that is told."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka.errors import NotEnoughReplicasError

from streams.decisions.owner import PartitionOwner
from streams.join.settings import JoinSettings
from streams.partition import decision_log
from streams.partition.decision_log import DecisionLog
from streams.settings import WorkerSettings


class Refusing:
    """A producer whose topic takes nothing at first."""

    def __init__(self, n_refused: int) -> None:
        self.n_left, self.values = n_refused, list[bytes]()
        self.seen: list[str] = []
        self.log: DecisionLog

    async def send(self, topic: str, partition: int, records: list[Any]) -> int:
        """Refuse, or note the entry; note what the log says of itself meanwhile."""
        self.seen.append(self.log.failing)
        if self.n_left > 0:
            self.n_left -= 1
            raise NotEnoughReplicasError
        self.values += [record.value for record in records]
        return len(records)


async def test_a_claim_is_tried_until_the_broker_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, under one number; why it fails is said as long as it does."""
    monkeypatch.setattr(decision_log, "RETRY_S", 0.001)
    owner = PartitionOwner(JoinSettings(), "w", 1, {"media.image": 0}, 0)
    producer = Refusing(2)
    parts: Any = Mock(settings=WorkerSettings(), producer=producer, now_ms=lambda: 0)
    producer.log = DecisionLog(parts, 0, owner)
    async with asyncio.timeout(10):
        await producer.log.claim()
    assert len(producer.values) == 1
    assert ["appending decisions fails" in said for said in producer.seen] == [False, True, True]
    assert producer.log.failing == ""
