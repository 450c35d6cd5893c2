"""What one partition number publishes, on its way to the broker: each topic in order, nothing given up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiokafka.errors import MessageSizeTooLargeError

from streams.decisions.records import Task
from streams.kafka.publish import Producer
from syncline.contract import DEADLETTER
from syncline.deadletters import shrink_dead_letter
from syncline.results import Record

log = logging.getLogger(__name__)

RETRY_S = 0.2


class Pending:
    """One task: how many of its records are not on the broker yet, those included that come later."""

    __slots__ = ("n_later", "n_left", "task")

    def __init__(self, task: Task, n_left: int, n_later: int) -> None:
        self.task, self.n_left, self.n_later = task, n_left, n_later


class _Waiting(NamedTuple):
    record: Record
    pending: Pending
    is_later: bool


class Outbox:
    """Sends what one partition number publishes, each topic in the order in which it was put in.

    A failed send is repeated before anything later of its topic goes. `on_sent` is told of tasks whose own records are
    on the broker, `on_published` of those of which everything is, what came later (conversions) included, `on_broken`
    of the end of a task that sends, which nobody foresaw.
    """

    def __init__(
        self,
        producer: Producer,
        prefix: str,
        partition: int,
        on_sent: Callable[[list[Task]], None],
        on_published: Callable[[list[Task]], None],
        on_broken: Callable[[BaseException], None],
    ) -> None:
        self._producer, self._prefix, self._partition = producer, prefix, partition
        self._on_sent, self._on_published, self._on_broken = on_sent, on_published, on_broken
        self._closed = False
        self._queues: dict[str, deque[_Waiting]] = {}
        self._filled: dict[str, asyncio.Event] = {}
        self._senders: list[asyncio.Task[None]] = []
        self.failing: dict[str, str] = {}
        """Topics whose last send failed, and with what."""

    def __bool__(self) -> bool:
        return any(self._queues.values())

    def put(self, task: Task, records: Sequence[Record], n_later: int = 0) -> Pending:
        """Queue what `task` publishes; `n_later` further records of it come by `add`."""
        pending = Pending(task, len(records), n_later)
        for record in records:
            self._queue(_Waiting(record, pending, is_later=False))
        if not records:
            self._tell([pending], [pending])
        return pending

    def add(self, pending: Pending, record: Record) -> None:
        """Queue a record that was announced."""
        self._queue(_Waiting(record, pending, is_later=True))

    def _queue(self, waiting: _Waiting) -> None:
        topic = waiting.record.topic
        if topic not in self._queues:
            self._open(topic)
        self._queues[topic].append(waiting)
        self._filled[topic].set()

    def close(self) -> None:
        """Send nothing more; a batch on its way may still arrive."""
        self._closed = True
        for sender in self._senders:
            sender.cancel()

    def _open(self, topic: str) -> None:
        self._queues[topic], self._filled[topic] = deque(), asyncio.Event()
        sender = asyncio.create_task(self._send_all(topic), name=f"outbox-{topic}-{self._partition}")
        sender.add_done_callback(self._on_ended)
        self._senders.append(sender)

    def _on_ended(self, sender: asyncio.Task[None]) -> None:
        error = None if sender.cancelled() else sender.exception()  # taken in any case, or asyncio complains
        if not self._closed:
            self._on_broken(error or RuntimeError(f"{sender.get_name()} was cancelled"))

    async def _send_all(self, topic: str) -> None:
        queue, filled = self._queues[topic], self._filled[topic]
        while True:
            await filled.wait()
            n_sent = await self._send_some(topic, queue)
            arrived = [queue.popleft() for _ in range(n_sent)]
            if not queue:
                filled.clear()
            for waiting in arrived:
                waiting.pending.n_left -= not waiting.is_later
                waiting.pending.n_later -= waiting.is_later
            touched = list(dict.fromkeys(waiting.pending for waiting in arrived))
            ready = dict.fromkeys(waiting.pending for waiting in arrived if not waiting.is_later)
            self._tell([pending for pending in ready if not pending.n_left], touched)

    def _tell(self, sent: Sequence[Pending], touched: Sequence[Pending]) -> None:
        """Of `touched`, tell of those that are whole; `sent` have now all that was not announced for later."""
        if sent:
            self._on_sent([pending.task for pending in sent])
        published = [pending.task for pending in touched if not pending.n_left and not pending.n_later]
        if published:
            self._on_published(published)

    async def _send_some(self, topic: str, queue: deque[_Waiting]) -> int:
        records = [waiting.record for waiting in queue]
        try:
            n_sent = await self._producer.send(self._prefix + topic, self._partition, records)
        except Exception as error:  # whatever it is: the set is decided, so there is only trying again
            if isinstance(error, MessageSizeTooLargeError) and (smaller := self._shrink(topic, records[0])):
                queue[0] = queue[0]._replace(record=smaller)
                return 0
            if topic not in self.failing:
                log.warning("%s, partition %d: sending fails, trying again: %r", topic, self._partition, error)
            self.failing[topic] = repr(error)
            await asyncio.sleep(RETRY_S)
            return 0
        self.failing.pop(topic, None)
        return n_sent

    def _shrink(self, topic: str, record: Record) -> Record | None:
        smaller = shrink_dead_letter(record) if topic == DEADLETTER else None
        if smaller is not None:
            log.warning(
                "%s, partition %d: a dead letter of %d bytes is more than the topic takes; it goes without them",
                topic, self._partition, len(record.value) + len(record.key or b""),
            )  # fmt: skip
        return smaller
