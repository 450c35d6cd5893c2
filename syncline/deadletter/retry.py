"""Which dead letters are sent again, and sending them: looked over first, without their bytes, then read once more.

async with DeadLetterReader(cluster, prefix) as box:
    plan = await make_plan(box, Selection(reason="audio_too_many_seconds"), again=False)
    sent = await send_retries(box, cluster, prefix, plan)
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber

from syncline.deadletter.filter import DeadLetterFilter, Letter
from syncline.deadletter.reader import DeadLetterReader, Sought, n_retries, place_of_retries, retry, why_not
from syncline.kafka.client import broker_error, start_producer
from syncline.kafka.cluster import Cluster
from syncline.wire.placement import partition_for

MAX_REQUEST_BYTES = 64 * 2**20
"""The topic's limit is the one that counts."""
MAX_WAITING_RECORDS, MAX_WAITING_BYTES = 500, 32 * 2**20
"""On their way to the broker at once."""


class PlannedRetry(NamedTuple):
    """A letter of a plan: where it stands, its id, its reason, and how many times it was sent again before."""

    partition: int
    offset: int
    id: str
    reason: str
    n_retries: int


@dataclass(slots=True)
class Plan:
    """What is to become of a selection. `before`: were sent again already; `cannot`: letters by why they cannot be."""

    selection: DeadLetterFilter
    to_send: list[PlannedRetry] = field(default_factory=list[PlannedRetry])
    before: list[PlannedRetry] = field(default_factory=list[PlannedRetry])
    cannot: Counter[str] = field(default_factory=Counter[str])
    n_repeats: int = 0


async def make_plan(box: DeadLetterReader, selection: DeadLetterFilter, *, again: bool) -> Plan:
    """Look a selection over. again: send those too that were sent again before. Raises `BrokerError`."""
    plan, seen, sought = Plan(selection), set[str](), list[Sought]()
    async for letters in box.select(selection):
        for one in letters:
            if one.letter.id in seen:  # written twice after a crash of a worker's
                plan.n_repeats += 1
                continue
            seen.add(one.letter.id)
            if why := why_not(one.letter):
                plan.cannot[why] += 1
                continue
            plan.to_send.append(_planned(one))
            sought.append(Sought(one.letter.id, place_of_retries(one.letter, box.n_partitions), one.append_ms))
    if not again:
        before = await box.retried(sought)
        plan.before = [planned for planned in plan.to_send if planned.id in before]
        plan.to_send = [planned for planned in plan.to_send if planned.id not in before]
    return plan


def _planned(one: Letter) -> PlannedRetry:
    return PlannedRetry(one.partition, one.offset, one.letter.id, one.letter.reason, n_retries(one.letter))


@dataclass(slots=True)
class SentRetries:
    """How many retries the broker has, and which it did not take, with its answer."""

    n_sent: int = 0
    failed: list[tuple[PlannedRetry, str]] = field(default_factory=list[tuple[PlannedRetry, str]])


async def send_retries(
    box: DeadLetterReader,
    cluster: Cluster,
    prefix: str,
    plan: Plan,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SentRetries:
    """Send what the plan says, each to the partition that its key belongs in; on_progress: how many are done."""
    sent, left = SentRetries(), plan.to_send
    while left:
        outgoing = _Outgoing(cluster, prefix, box.n_partitions, sent, on_progress)
        missing = await _send_some(box, plan.selection, left, outgoing)
        sent.failed += [(planned, "it is no longer there") for planned in missing]
        if len(outgoing.behind) == len(left):  # nothing moves any more
            sent.failed += [(planned, f"broker {cluster}: refused behind another") for planned in left]
            break
        left = outgoing.behind
    return sent


async def _send_some(
    box: DeadLetterReader, selection: DeadLetterFilter, left: list[PlannedRetry], outgoing: _Outgoing
) -> Iterable[PlannedRetry]:
    """Send these with a producer of their own; those that are no longer there."""
    wanted = {(planned.partition, planned.offset): planned for planned in left}
    await outgoing.start()
    try:
        async for letters in box.select(selection):
            for one in letters:
                if (planned := wanted.pop((one.partition, one.offset), None)) is not None:
                    await outgoing.put(planned, one)
        await outgoing.settle(0, 0)
    finally:
        await outgoing.stop()
    return wanted.values()


class _Outgoing:
    """Retries on their way to the broker, a bounded number of them.

    An idempotent producer counts its batches. One that the broker refuses leaves a gap, behind which it refuses all
    that follow in that partition: those are in `behind`, and need another producer.
    """

    def __init__(
        self, cluster: Cluster, prefix: str, n_partitions: int, sent: SentRetries, on_progress: Callable[[int], None]
    ) -> None:
        self._cluster, self._prefix, self._n_partitions = cluster, prefix, n_partitions
        self._sent, self._on_progress = sent, on_progress
        self._producer: Any = None
        self.behind: list[PlannedRetry] = []
        self._waiting: deque[tuple[Any, PlannedRetry, int]] = deque()
        self._n_bytes = 0

    async def start(self) -> None:
        """Connect; raises `BrokerError`."""
        self._producer = await start_producer(self._cluster, max_request_size=MAX_REQUEST_BYTES, linger_ms=5)

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def put(self, planned: PlannedRetry, one: Letter) -> None:
        """Send one; waits while too many are on their way."""
        record = retry(one.letter)
        partition = partition_for(record.key, self._n_partitions)
        try:
            future = await self._producer.send(
                self._prefix + record.topic, record.value, record.key, partition, headers=record.headers
            )
        except KafkaError as error:
            self._fail(planned, error)
            return
        n_bytes = len(record.value or b"")
        self._waiting.append((future, planned, n_bytes))
        self._n_bytes += n_bytes
        await self.settle(MAX_WAITING_RECORDS, MAX_WAITING_BYTES)

    async def settle(self, most_records: int, most_bytes: int) -> None:
        """Wait until no more than so many are on their way."""
        while len(self._waiting) > most_records or self._n_bytes > most_bytes:
            future, planned, n_bytes = self._waiting.popleft()
            self._n_bytes -= n_bytes
            try:
                await future
            except KafkaError as error:
                self._fail(planned, error)
            else:
                self._sent.n_sent += 1
                self._on_progress(self._sent.n_sent + len(self._sent.failed))

    def _fail(self, planned: PlannedRetry, error: KafkaError) -> None:
        if isinstance(error, OutOfOrderSequenceNumber):
            self.behind.append(planned)
            return
        self._sent.failed.append((planned, str(broker_error(self._cluster, error))))
        self._on_progress(self._sent.n_sent + len(self._sent.failed))
