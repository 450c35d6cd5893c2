"""Carries out the confirmed decisions of one partition number: fuse, publish, convert; reports to the owner.

A set is published when its turn comes, its conversions when they are made, so that a slow converter delays no set. All
of it must be on the broker before the set's records are resolved.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from models.interface import Fusion, Member
from streams.convert.conversions import Wanted
from streams.decisions.owner import PartitionOwner
from streams.decisions.records import Task
from streams.kafka.topic_sender import Pending, TopicSender
from streams.partition.context import Fuse, WorkerContext
from streams.partition.outputs import Outputs
from syncline.errors import NoAnswerError, SetFailedError

log = logging.getLogger(__name__)

_NO_FUSION = Fusion()
TOO_LARGE = "too_large"
"""The reason of a failed set whose result is too large for its topic, even cut."""
Schedule = Callable[[], None]
"""Schedules a step of the owner in the loop's next round."""
Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine in the background, as long as the driver runs."""


class Executor:
    """Fuses and publishes for one driver. Answers wait here until the owner publishes them in stream order."""

    def __init__(
        self, context: WorkerContext, partition: int, owner: PartitionOwner, schedule: Schedule, spawn: Spawn
    ) -> None:
        self._partition, self._owner, self._schedule, self._spawn = partition, owner, schedule, spawn
        self._model, self._meter = context.fuse, context.meter
        self._conversions = context.conversions
        size_ms, prefix = context.settings.join.size_ms, context.settings.topic_prefix
        self._outputs = Outputs(partition, size_ms, context.model_info, self._conversions.kinds)
        self._outbox = TopicSender(
            context.producer, prefix, partition, self._meter.published, self._on_published, context.on_broken,
            self._on_too_large,
        )  # fmt: skip
        self.n_converting = 0
        """The number of tasks with a conversion under way."""
        self._answers: dict[Task, Fusion] = {}
        self._closed = self._finishing = False

    @property
    def failing(self) -> list[str]:
        """Return what cannot be sent now, and why."""
        return [f"sending to {topic} fails: {error}" for topic, error in self._outbox.failing.items()]

    @property
    def sending(self) -> bool:
        """Whether something handed to the producer is not on the broker yet."""
        return bool(self._outbox)

    def finish(self) -> None:
        """Publish nothing more; the producer sends what it has."""
        self._finishing = True

    def close(self) -> None:
        """Stop, and report nothing more to the owner."""
        self._closed = True
        self._outbox.close()

    def fuse(self, tasks: Sequence[Task]) -> None:
        """Run sets through the model; the null model answers at once."""
        if self._model is not None:
            for task in tasks:
                self._spawn(self._fuse_one(task, self._model))
            return
        for task in tasks:
            self._answers[task] = _NO_FUSION
        self._owner.on_fused(tasks)
        self._schedule()

    async def _fuse_one(self, task: Task, model: Fuse) -> None:
        try:
            answer = await model(_members(task))
        except SetFailedError as error:
            log.warning("partition %d: the model fails on one set: %s", self._partition, error)
            self._owner.on_failed(task, error.reason)
        except NoAnswerError:
            return  # the service stops; the next owner fuses it
        else:
            self._answers[task] = answer
            self._owner.on_fused([task])
        self._schedule()

    def publish(self, tasks: Iterable[Task]) -> None:
        """Hand the tasks' records to the producer, in this order, and start their conversions."""
        for task in () if self._finishing else tasks:
            records = self._outputs.of(task, self._answers.pop(task, None))
            if task.failed is not None and self._outbox.replace(task, records):
                continue
            wanted = self._conversions.of(task, partial(self._outputs.set_id, task))
            pending = self._outbox.put(task, records, n_later=len(wanted))
            if wanted:
                self._spawn(self._convert(pending, wanted))

    async def _convert(self, pending: Pending, wanted: Sequence[Wanted]) -> None:
        self.n_converting += 1
        try:
            await asyncio.gather(*(self._convert_one(pending, one) for one in wanted))
        except NoAnswerError:
            return  # the service stops; the next owner converts it
        finally:
            self.n_converting -= 1

    async def _convert_one(self, pending: Pending, wanted: Wanted) -> None:
        record = await self._conversions.make(wanted, self._partition)
        if not self._finishing and not self._closed:
            self._outbox.add(pending, record)

    def _on_too_large(self, task: Task) -> None:
        log.warning("partition %d: a result is too large for its topic, so its set fails", self._partition)
        self._owner.on_failed(task, TOO_LARGE)
        self._schedule()

    def _on_published(self, tasks: list[Task]) -> None:
        if not self._closed:
            self._owner.on_published(tasks)
            self._schedule()


def _members(task: Task) -> list[Member]:
    members: list[Member] = []
    for held in task.records:
        if held is not None and held.record is not None and held.item is not None:
            payload = held.record.payload
            members.append(Member(held.item.lane, payload.event.modality, payload.prepared))
    return members
