"""Workers with one guarantee taken out: patched in by name, each must make the checker report its violation.

A fault test that cannot fail proves nothing. Here is, for each guarantee, a worker that breaks it; the scenarios of
tests/guarantees/test_mutations.py must catch every one of them, and find nothing wrong with the worker as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from streams.decisions.entries import Batch as DecisionBatch
from streams.decisions.entries import LogRecord, decode_entry
from streams.decisions.records import Task
from streams.kafka.batch_consumer import BatchConsumer, FetchedBatch
from streams.kafka.consumer_thread import BatchConsumerThread
from streams.kafka.producer import Producer
from streams.partition import driver
from streams.partition.executor import Executor
from syncline.wire.contract import DECISIONS
from tests.support.broken_rules import break_for_good


def acknowledge_past_gaps() -> None:
    """Whatever is resolved is acknowledged, over the heads of older records that are not."""
    break_for_good("acknowledge_in_order")


def acknowledge_at_arrival() -> None:
    """Records are acknowledged as they come, as Kafka's own automatic commit does."""
    deliver = driver.PartitionDriver.deliver

    def deliver_and_acknowledge(self: driver.PartitionDriver, topic: str, batch: FetchedBatch) -> int:
        self._context.consumer.resolve(batch.epoch, topic, self._partition, batch.next_offset)
        return deliver(self, topic, batch)

    driver.PartitionDriver.deliver = deliver_and_acknowledge


def pause_partitions() -> None:
    """A topic that shall not be read loses what was fetched of it, as with Faust's `pause_partitions`."""
    getmany = BatchConsumer.getmany

    async def getmany_of_active(self: BatchConsumer, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109
        async for tp, message in getmany(self, timeout):
            if tp not in self._held:  # faust.Consumer.getmany asks whether it is among the active ones
                yield tp, message

    BatchConsumer.getmany = getmany_of_active


def act_on_proposals() -> None:
    """A decision is carried out when it is proposed, not when it is read back."""
    break_for_good("act_on_read_back")


def forget_decisions() -> None:
    """Whoever is assigned a partition number joins anew what the log has decisions for."""
    break_for_good("obey_the_log")


def ignore_claims() -> None:
    """A batch counts though another owner's claim lies before it."""
    break_for_good("void_behind_other_claim")


def publish_in_any_order() -> None:
    """Results are published as they come to hand, not in the order of the log."""
    publish = Executor.publish

    def publish_backwards(self: Executor, tasks: Iterable[Task]) -> None:
        publish(self, reversed(list(tasks)))

    Executor.publish = publish_backwards


def publish_undecided() -> None:
    """Results are published of which the log knows nothing."""
    break_for_good("act_on_read_back")
    send = Producer.send

    async def send_no_decisions(self: Producer, topic: str, partition: int, records: Sequence[Any]) -> int:
        entries = [decode_entry(LogRecord(0, record.value)) for record in records] if topic.endswith(DECISIONS) else []
        if any(isinstance(entry, DecisionBatch) for entry in entries):
            await asyncio.sleep(0)
            return len(records)
        return await send(self, topic, partition, records)

    Producer.send = send_no_decisions


def resolve_member_by_member() -> None:
    """A member of a set is resolved before the others are, and before the result is on the broker."""
    publish = Executor.publish

    def publish_and_resolve(self: Executor, tasks: Iterable[Task]) -> None:
        tasks = list(tasks)
        publish(self, tasks)
        for task in tasks:
            if task.is_set and task.records[0] is not None:
                self._owner.in_flight.resolve(task.records[0])
        self._schedule()

    Executor.publish = publish_and_resolve


def read_uncommitted() -> None:
    """Media are read as Faust reads them: what was aborted, and what may yet be, as well."""
    create = BatchConsumerThread._create_worker_consumer

    def create_uncommitted(self: BatchConsumerThread, transport: Any) -> Any:
        consumer = create(self, transport)
        consumer._isolation_level = "read_uncommitted"
        return consumer

    BatchConsumerThread._create_worker_consumer = create_uncommitted  # type: ignore[method-assign]


MUTATIONS: dict[str, Callable[[], None]] = {
    mutation.__name__: mutation
    for mutation in (
        acknowledge_past_gaps,
        acknowledge_at_arrival,
        pause_partitions,
        act_on_proposals,
        forget_decisions,
        ignore_claims,
        publish_in_any_order,
        publish_undecided,
        resolve_member_by_member,
        read_uncommitted,
    )
}


def mutate(names: Iterable[str]) -> None:
    """Patch this process."""
    for name in names:
        MUTATIONS[name]()
