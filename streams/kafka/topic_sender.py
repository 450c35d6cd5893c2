"""Publishes the records of one partition number: each topic in order, retrying until the broker has them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.decisions.records import Task
from streams.kafka.producer import Producer
from streams.kafka.retry import Backoff, Trouble
from syncline.errors import BrokerError
from syncline.wire.contract import FUSED
from syncline.wire.results import OutgoingRecord
from syncline.wire.shrinking import shrink

log = logging.getLogger(__name__)

RETRY_S, MOST_RETRY_S = 0.2, 3.0
"""Pauses between attempts to send."""
LEAST_OFFERED, MOST_OFFERED = 16, 2_048
"""Bounds of the number of records offered to the producer: twice what it took last, to avoid copying a long queue."""


class Pending:
    """A task and how many of its records are not on the broker yet, later ones included."""

    __slots__ = ("n_later", "n_left", "task")

    def __init__(self, task: Task, n_left: int, n_later: int) -> None:
        self.task, self.n_left, self.n_later = task, n_left, n_later


class _Waiting(NamedTuple):
    record: OutgoingRecord
    pending: Pending
    is_later: bool


class _Topic:
    """The queue of one topic and its trouble."""

    def __init__(self, name: str, partition: int) -> None:
        self.name = name
        self.queue: deque[_Waiting] = deque()
        self.filled = asyncio.Event()
        self.backoff = Backoff(RETRY_S, MOST_RETRY_S)
        self.trouble = Trouble(log, f"sending to {name}, partition {partition},")
        self.n_offered = LEAST_OFFERED
        self.n_cut = 0


class TopicSender:
    """Sends the records of one partition number. Sends retry in order per topic.

    on_sent: called with tasks whose own records are on the broker. on_published: called with tasks of which all records
    are, later ones (conversions) included. on_broken: called if a sending task ends unexpectedly. on_too_large: called
    with a task whose fused result is too large however it is cut; it blocks its topic until `replace` is called.
    """

    def __init__(
        self,
        producer: Producer,
        prefix: str,
        partition: int,
        on_sent: Callable[[list[Task]], None],
        on_published: Callable[[list[Task]], None],
        on_broken: Callable[[BaseException], None],
        on_too_large: Callable[[Task], None] | None = None,
    ) -> None:
        self._producer, self._prefix, self._partition = producer, prefix, partition
        self._on_sent, self._on_published, self._on_broken = on_sent, on_published, on_broken
        self._on_too_large = on_too_large
        self._closed = False
        self._topics: dict[str, _Topic] = {}
        self._senders: list[asyncio.Task[None]] = []
        self._too_large: dict[Task, asyncio.Event] = {}
        """Tasks whose result is first in its topic and too large, with an event to set when it is replaced."""

    @property
    def failing(self) -> dict[str, str]:
        """Return the topics whose last send failed, and why."""
        return {name: topic.trouble.error for name, topic in self._topics.items() if topic.trouble.error}

    def __bool__(self) -> bool:
        return any(topic.queue for topic in self._topics.values())

    def put(self, task: Task, records: Sequence[OutgoingRecord], n_later: int = 0) -> Pending:
        """Queue the records of `task`; `n_later` further ones will come by `add`."""
        pending = Pending(task, len(records), n_later)
        for record in records:
            self._queue(_Waiting(record, pending, is_later=False))
        if not records:
            self._tell([pending], [pending])
        return pending

    def add(self, pending: Pending, record: OutgoingRecord) -> None:
        """Queue a record that `put` announced."""
        self._queue(_Waiting(record, pending, is_later=True))

    def replace(self, task: Task, records: Sequence[OutgoingRecord]) -> bool:
        """Queue `records` in place of a result that was too large; return False if `task` has none."""
        gone = self._too_large.pop(task, None)
        if gone is None:
            return False
        topic = self._topics[FUSED]
        pending = topic.queue.popleft().pending
        if not topic.queue:
            topic.filled.clear()
        pending.n_left += len(records) - 1
        for record in records:
            self._queue(_Waiting(record, pending, is_later=False))
        if not pending.n_left:
            self._tell([pending], [pending])
        topic.trouble.ends()
        gone.set()
        return True

    def _queue(self, waiting: _Waiting) -> None:
        topic = self._topics.get(waiting.record.topic) or self._open(waiting.record.topic)
        topic.queue.append(waiting)
        topic.filled.set()

    def close(self) -> None:
        """Stop sending; a batch on its way may still arrive."""
        self._closed = True
        for sender in self._senders:
            sender.cancel()

    def _open(self, name: str) -> _Topic:
        self._topics[name] = topic = _Topic(name, self._partition)
        sender = asyncio.create_task(self._send_all(topic), name=f"outbox-{name}-{self._partition}")
        sender.add_done_callback(self._on_ended)
        self._senders.append(sender)
        return topic

    def _on_ended(self, sender: asyncio.Task[None]) -> None:
        error = None if sender.cancelled() else sender.exception()  # always fetch it, or asyncio warns
        if not self._closed:
            self._on_broken(error or RuntimeError(f"{sender.get_name()} was cancelled"))

    async def _send_all(self, topic: _Topic) -> None:
        while True:
            await topic.filled.wait()
            n_sent = await self._send_some(topic)
            arrived = [topic.queue.popleft() for _ in range(n_sent)]
            if not topic.queue:
                topic.filled.clear()
            for waiting in arrived:
                waiting.pending.n_left -= not waiting.is_later
                waiting.pending.n_later -= waiting.is_later
            touched = list(dict.fromkeys(waiting.pending for waiting in arrived))
            ready = dict.fromkeys(waiting.pending for waiting in arrived if not waiting.is_later)
            self._tell([pending for pending in ready if not pending.n_left], touched)

    def _tell(self, sent: Sequence[Pending], touched: Sequence[Pending]) -> None:
        """Report tasks: those of `touched` that are complete, and `sent`, whose own records are all on the broker."""
        if sent:
            self._on_sent([pending.task for pending in sent])
        published = [pending.task for pending in touched if not pending.n_left and not pending.n_later]
        if published:
            self._on_published(published)

    async def _send_some(self, topic: _Topic) -> int:
        records = [waiting.record for waiting in islice(topic.queue, topic.n_offered)]
        try:
            n_sent = await self._producer.send(self._prefix + topic.name, self._partition, records)
        except MessageSizeTooLargeError as error:
            await self._refused(topic, error)
            return 0
        except Exception as error:  # the set is decided: whatever the error, retry
            await self._fails(topic, error)
            return 0
        topic.n_offered = min(MOST_OFFERED, max(LEAST_OFFERED, 2 * n_sent))
        topic.trouble.ends()
        topic.backoff.reset()
        return n_sent

    async def _fails(self, topic: _Topic, error: Exception) -> None:
        topic.trouble.begins(repr(error))
        await asyncio.sleep(topic.backoff.next_s())

    async def _refused(self, topic: _Topic, error: Exception) -> None:
        """Handle a first record that is too large for its topic: cut it, fail it, or wait."""
        first = topic.queue[0]
        try:
            waits = await self._producer.takes(self._prefix + topic.name, first.record)
        except (KafkaError, BrokerError) as unknown:
            waits, error = True, unknown
        if waits:
            await self._fails(topic, error)
        elif (smaller := shrink(first.record)) is not None:
            self._say_cut(topic, first.record)
            topic.queue[0] = first._replace(record=smaller)
        elif topic.name == FUSED and self._on_too_large is not None:
            await self._until_replaced(topic, first.pending.task, self._on_too_large)
        else:
            await self._fails(topic, error)

    async def _until_replaced(self, topic: _Topic, task: Task, tell: Callable[[Task], None]) -> None:
        # Later records wait: until its failure is in the log, another owner may still publish it.
        topic.trouble.begins("a result is too large for the topic: its set fails")
        self._too_large[task] = gone = asyncio.Event()
        tell(task)
        await gone.wait()

    def _say_cut(self, topic: _Topic, record: OutgoingRecord) -> None:
        topic.n_cut += 1
        log.log(
            logging.WARNING if topic.n_cut == 1 else logging.DEBUG,
            "%s, partition %d: a record of %d bytes is too large for the topic; it is cut (docs/contract.md), as will "
            "be further ones",
            topic.name, self._partition, len(record.value) + len(record.key or b""),
        )  # fmt: skip
