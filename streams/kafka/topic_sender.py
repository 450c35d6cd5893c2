"""What one partition number publishes, on its way to the broker: each topic in order, nothing given up."""

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
"""Between the attempts to send what was not taken."""
LEAST_OFFERED, MOST_OFFERED = 16, 2_048
"""Records that the producer is offered at once: twice what it took last, so that a long queue is not copied."""


class Pending:
    """One task: how many of its records are not on the broker yet, those included that come later."""

    __slots__ = ("n_later", "n_left", "task")

    def __init__(self, task: Task, n_left: int, n_later: int) -> None:
        self.task, self.n_left, self.n_later = task, n_left, n_later


class _Waiting(NamedTuple):
    record: OutgoingRecord
    pending: Pending
    is_later: bool


class _Topic:
    """What waits for one topic, and how that goes."""

    def __init__(self, name: str, partition: int) -> None:
        self.name = name
        self.queue: deque[_Waiting] = deque()
        self.filled = asyncio.Event()
        self.backoff = Backoff(RETRY_S, MOST_RETRY_S)
        self.trouble = Trouble(log, f"sending to {name}, partition {partition},")
        self.n_offered = LEAST_OFFERED
        self.n_cut = 0


class TopicSender:
    """Sends what one partition number publishes, each topic in the order in which it was put in.

    A failed send is repeated before anything later of its topic goes. `on_sent` is told of tasks whose own records are
    on the broker, `on_published` of those of which everything is, what came later (conversions) included, `on_broken`
    of the end of a task that sends, which nobody foresaw, `on_too_large` of one whose fused result no topic takes
    however it is cut: it stays at its place, and holds up its topic, until `replace` puts something else there.
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
        """Tasks whose result stands at the head of its topic and cannot go, and what is set once it is gone."""

    @property
    def failing(self) -> dict[str, str]:
        """Topics whose last send failed, and with what."""
        return {name: topic.trouble.error for name, topic in self._topics.items() if topic.trouble.error}

    def __bool__(self) -> bool:
        return any(topic.queue for topic in self._topics.values())

    def put(self, task: Task, records: Sequence[OutgoingRecord], n_later: int = 0) -> Pending:
        """Queue what `task` publishes; `n_later` further records of it come by `add`."""
        pending = Pending(task, len(records), n_later)
        for record in records:
            self._queue(_Waiting(record, pending, is_later=False))
        if not records:
            self._tell([pending], [pending])
        return pending

    def add(self, pending: Pending, record: OutgoingRecord) -> None:
        """Queue a record that was announced."""
        self._queue(_Waiting(record, pending, is_later=True))

    def replace(self, task: Task, records: Sequence[OutgoingRecord]) -> bool:
        """Queue `records` in place of a result that was too large; False where `task` has none such."""
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
        """Send nothing more; a batch on its way may still arrive."""
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
        error = None if sender.cancelled() else sender.exception()  # taken in any case, or asyncio complains
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
        """Of `touched`, tell of those that are whole; `sent` have now all that was not announced for later."""
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
        except Exception as error:  # whatever it is: the set is decided, so there is only trying again
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
        """The first record that waits is larger than its topic takes now: cut it, give it up, or wait."""
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
        # What is behind it waits: until its failure stands in the log, another owner may still publish it.
        topic.trouble.begins("a result is more than the topic takes: its set fails")
        self._too_large[task] = gone = asyncio.Event()
        tell(task)
        await gone.wait()

    def _say_cut(self, topic: _Topic, record: OutgoingRecord) -> None:
        topic.n_cut += 1
        log.log(
            logging.WARNING if topic.n_cut == 1 else logging.DEBUG,
            "%s, partition %d: a record of %d bytes is more than the topic takes; it is cut (docs/contract.md), as all "
            "further ones are",
            topic.name, self._partition, len(record.value) + len(record.key or b""),
        )  # fmt: skip
