"""streams/partition/manager.py: drivers come and go with assignments."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from streams.kafka.batch_consumer import FetchedBatch
from streams.kafka.consumer_thread import Deleted, Start
from streams.partition import manager as manager_module
from streams.partition.manager import PartitionManager
from syncline.wire.contract import MEDIA_TOPICS

PREFIX = "p."


class Driver:
    """Stands for a driver; notes what is asked of it."""

    made: list[Driver]
    left: list[str]

    def __init__(self, context: Any, assigned: Any) -> None:
        self.assigned, self.calls = assigned, list[str]()
        self.batches: list[tuple[str, FetchedBatch]] = []
        Driver.made.append(self)

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    async def hand_over(self, limit_s: float) -> list[str]:
        self.calls.append("hand_over")
        return [f"partition {self.assigned.partition}: {what}" for what in self.left]

    def deliver(self, topic: str, batch: FetchedBatch) -> int:
        self.batches.append((topic, batch))
        return 0 if batch.missing is None else 40

    def reasons(self) -> Iterator[str]:
        yield from ()


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> PartitionManager:
    """A hub with drivers that only note down."""
    Driver.made, Driver.left = [], []
    monkeypatch.setattr(manager_module, "PartitionDriver", Driver)
    manager = PartitionManager(PREFIX)
    context: Any = SimpleNamespace(n_partitions=4)
    manager.use(context)
    return manager


def starts(*numbers: int, topics: tuple[str, ...] = MEDIA_TOPICS) -> dict[TopicPartition, Start]:
    return {TopicPartition(PREFIX + topic, number): Start(number, number) for topic in topics for number in numbers}


async def test_each_partition_number_has_a_driver_with_its_offsets(manager: PartitionManager) -> None:
    """One of its own name, so that a claim in it is its own."""
    assert "waiting for an assignment" in next(iter(manager.reasons()))
    await manager.on_assigned(2, 7, starts(0, 3))
    assert list(manager.reasons()) == []
    assigned = [driver.assigned for driver in Driver.made]
    assert [(one.partition, one.epoch, one.generation) for one in assigned] == [(0, 2, 7), (3, 2, 7)]
    assert assigned[1].starts == dict.fromkeys(MEDIA_TOPICS, Start(3, 3))
    assert len({one.worker for one in assigned}) == 2


async def test_limits_are_shared_out_among_the_partition_numbers_of_each_assignment(manager: PartitionManager) -> None:
    """One budget for the worker: whoever inherits others' holds no more in all."""
    await manager.on_assigned(1, 7, starts(0, 3))
    await manager.on_revoked()
    await manager.on_assigned(2, 8, starts(0, 1, 2, 3))
    assert [driver.assigned.n_shares for driver in Driver.made] == [2, 2, 4, 4, 4, 4]


async def test_a_worker_without_partitions_is_ready(manager: PartitionManager) -> None:
    """There are more workers than partitions; it stands by."""
    await manager.on_assigned(2, 7, {})
    assert list(manager.reasons()) == []


async def test_siblings_that_come_apart_are_not_read(manager: PartitionManager) -> None:
    """A stream's records would be with two workers."""
    torn = starts(0) | starts(1, topics=("media.image",))
    await manager.on_assigned(2, 7, torn)
    assert Driver.made == []
    assert "without their siblings" in "".join(manager.reasons())
    await manager.on_assigned(3, 8, starts(0))
    assert list(manager.reasons()) == []


async def test_a_rebalance_hands_over_and_stops(manager: PartitionManager) -> None:
    """In this order; the next assignment has new drivers under new names."""
    await manager.on_assigned(2, 7, starts(0))
    await manager.on_revoked()
    (old,) = Driver.made
    assert old.calls == ["start", "hand_over", "stop"]
    assert manager.drivers == {}
    await manager.on_assigned(3, 8, starts(0))
    assert Driver.made[1].assigned.worker != old.assigned.worker


async def test_a_hub_that_closes_hands_over_and_begins_nothing_more(manager: PartitionManager) -> None:
    """An assignment that comes meanwhile is not worked on; what could not be done is kept."""
    await manager.on_assigned(2, 7, starts(0, 1))
    Driver.left = ["3 decisions"]
    await manager.close(1.0)
    await manager.on_revoked()
    assert manager.left == ["partition 0: 3 decisions", "partition 1: 3 decisions"]
    await manager.on_assigned(3, 8, starts(0, 1))
    assert manager.drivers == {}
    assert len(Driver.made) == 2


async def test_what_a_rebalance_leaves_is_no_fault_of_a_later_stop(manager: PartitionManager) -> None:
    """The successor has done it by then."""
    await manager.on_assigned(2, 7, starts(0))
    Driver.left = ["3 decisions"]
    await manager.on_revoked()
    await manager.close(1.0)
    assert manager.left == []


async def test_records_of_another_assignment_are_dropped(manager: PartitionManager) -> None:
    """They come again, in the new one's order."""
    await manager.on_assigned(2, 7, starts(0))
    now = FetchedBatch(2, PREFIX + "media.image", 0, [], 1)
    for batch in (now, now._replace(epoch=1), now._replace(partition=5)):
        manager.hand_over(batch)
    assert Driver.made[0].batches == [("media.image", now)]


async def test_records_that_nobody_judged_are_counted_by_topic(manager: PartitionManager) -> None:
    """Over all assignments: what is gone stays gone."""
    await manager.on_assigned(2, 7, starts(0))
    manager.hand_over(FetchedBatch(2, PREFIX + "media.image", 0, [], 60, Deleted(10, 60)))
    await manager.on_assigned(3, 8, starts(0))
    manager.hand_over(FetchedBatch(3, PREFIX + "media.image", 0, [], 90, Deleted(70, 90)))
    manager.hand_over(FetchedBatch(3, PREFIX + "media.text", 0, [], 5))
    assert dict(manager.n_unjudged) == {"media.image": 80, "media.text": 0}


async def test_records_that_cannot_be_handed_over_end_the_worker(manager: PartitionManager) -> None:
    """Faust would start its agent anew, behind them: they would be passed over unseen."""
    broken: list[BaseException] = []
    context: Any = SimpleNamespace(on_broken=broken.append, n_partitions=4)
    manager.use(context)
    await manager.on_assigned(2, 7, starts(0))

    def refuse(topic: str, batch: FetchedBatch) -> int:
        raise RuntimeError("cannot schedule new futures after shutdown")

    Driver.made[0].deliver = refuse  # type: ignore[method-assign]
    manager.hand_over(FetchedBatch(2, PREFIX + "media.image", 0, [], 1))
    assert "cannot schedule" in str(broken[0])


async def test_a_halted_hub_stays_halted(manager: PartitionManager) -> None:
    """The numbers of partitions have changed: streams are elsewhere than their records, until somebody looks."""
    await manager.on_assigned(2, 7, starts(0))
    await manager.halt("topics had 1 partitions, now 2")
    assert Driver.made[0].calls == ["start", "hand_over", "stop"]
    await manager.on_assigned(3, 8, starts(0, 1))
    assert len(Driver.made) == 1
    assert list(manager.reasons()) == ["topics had 1 partitions, now 2"]


async def test_a_partition_number_beyond_those_counted_is_not_read(manager: PartitionManager) -> None:
    """The group knows of new partitions before this worker does: by its count, all their records would be misrouted."""
    await manager.on_assigned(2, 7, starts(3, 4))
    assert Driver.made == []
    assert list(manager.reasons()) == ["partition 4 was assigned, and this worker has counted 4 partitions"]
    await manager.on_assigned(3, 8, starts(3))
    assert list(manager.reasons()) == []
