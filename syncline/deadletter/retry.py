"""Which dead letters are sent again, as what, and sending them.

A selection is looked over first, without its bytes, then read once more:

    async with DeadLetterReader(cluster, prefix) as box:
        plan = await make_plan(box, DeadLetterFilter(reason="audio_too_many_seconds"), again=False)
        sent = await send_retries(box, plan)
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber

from syncline.deadletter.filter import DeadLetterFilter, Letter, Repeats
from syncline.deadletter.reader import DeadLetterReader
from syncline.kafka.client import broker_error, start_producer
from syncline.wire import contract as c
from syncline.wire.deadletters import DeadLetter
from syncline.wire.placement import partition_for
from syncline.wire.timestamps import format_time

MAX_REQUEST_BYTES = 64 * 2**20
"""The topic's limit is the one that counts."""
MAX_WAITING_RECORDS, MAX_WAITING_BYTES = 500, 32 * 2**20
"""On their way to the broker at once."""
CLOCK_MARGIN_MS = 600_000
"""A retry is looked for from so long before its letter was appended: the clocks of two brokers may differ."""
_OURS = (c.H_RETRIES, c.H_RETRY_OF)


class Retry(NamedTuple):
    """A record to send again: unprefixed topic, key, value (None where the original's was null) and headers."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def why_not(letter: DeadLetter) -> str:
    """Why a dead letter cannot be sent again as the record that it was, or "" where it can."""
    if letter.cut:
        return f"not all of the original is here ({', '.join(letter.cut)}); it may still be at its origin"
    if letter.topic not in c.MEDIA_TOPICS:
        return f"its origin {letter.topic[:64]!r} is no media topic"
    if not letter.key:
        return "it has no key, so it belongs in no partition"
    return ""


def n_retries(letter: DeadLetter) -> int:
    """How many times the original had been sent again when it became this dead letter."""
    value = dict(letter.headers).get(c.H_RETRIES, b"")
    return int(value) if value.isdigit() and len(value) <= len(str(c.MAX_RETRIES)) else 0


def retry(letter: DeadLetter) -> Retry:
    """The record to send to the topic that the original was in; only for letters that `why_not` has nothing against.

    Where the original had no event time, its own timestamp was it: the retry says so, since it gets a new one.
    """
    headers = [(name, value) for name, value in letter.headers if name not in _OURS]
    if letter.reason != "bad_time" and all(name != c.H_TIME for name, _ in headers):
        headers.append((c.H_TIME, format_time(letter.timestamp_ms).encode()))
    headers.append((c.H_RETRIES, str(min(n_retries(letter) + 1, c.MAX_RETRIES)).encode()))
    headers.append((c.H_RETRY_OF, letter.id.encode()))
    return Retry(letter.topic, letter.key or b"", letter.data, headers)


def place_of_retries(letter: DeadLetter, n_partitions: int) -> tuple[str, int]:
    """The topic (unprefixed) and partition that its retries are sent to."""
    return letter.topic, partition_for(letter.key or b"", n_partitions)


class PlannedRetry(NamedTuple):
    """A letter of a plan: where it stands, its id, its reason, and how many times it was sent again before."""

    partition: int
    offset: int
    id: str
    reason: str
    n_retries: int


@dataclass(slots=True)
class Plan:
    """What is to become of a selection. `before`: were sent again already; `cannot`: how many by why they cannot be."""

    selection: DeadLetterFilter
    to_send: list[PlannedRetry] = field(default_factory=list[PlannedRetry])
    before: list[PlannedRetry] = field(default_factory=list[PlannedRetry])
    cannot: Counter[str] = field(default_factory=Counter[str])
    n_repeats: int = 0


async def make_plan(box: DeadLetterReader, selection: DeadLetterFilter, *, again: bool) -> Plan:
    """Look a selection over. again: send those too that were sent again before. Raises `BrokerError`."""
    plan, repeats, since_ms = Plan(selection), Repeats(), dict[tuple[str, int], int]()
    async for letters in box.select(selection):
        for one in repeats.left_out(letters):
            if why := why_not(one.letter):
                plan.cannot[why] += 1
                continue
            plan.to_send.append(_planned(one))
            place, start_ms = place_of_retries(one.letter, box.n_partitions), max(0, one.append_ms - CLOCK_MARGIN_MS)
            since_ms[place] = min(start_ms, since_ms.get(place, start_ms))
    plan.n_repeats = repeats.n
    if not again:
        before = await box.retried({planned.id for planned in plan.to_send}, since_ms)
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
    box: DeadLetterReader, plan: Plan, on_progress: Callable[[int], None] = lambda _: None
) -> SentRetries:
    """Send what the plan says, each to the partition that its key belongs in; on_progress: how many are done."""
    sent, left = SentRetries(), plan.to_send
    while left:
        outgoing = _Outgoing(box, sent, on_progress)
        missing = await _send_some(box, plan.selection, left, outgoing)
        sent.failed += [(planned, "it is no longer there") for planned in missing]
        if len(outgoing.behind) == len(left):  # nothing moves any more
            sent.failed += [(planned, f"broker {box.cluster}: refused behind another") for planned in left]
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

    def __init__(self, box: DeadLetterReader, sent: SentRetries, on_progress: Callable[[int], None]) -> None:
        self._box = box
        self._sent, self._on_progress = sent, on_progress
        self._producer: Any = None
        self.behind: list[PlannedRetry] = []
        self._waiting: deque[tuple[Any, PlannedRetry, int]] = deque()
        self._n_bytes = 0

    async def start(self) -> None:
        """Connect; raises `BrokerError`."""
        self._producer = await start_producer(self._box.cluster, max_request_size=MAX_REQUEST_BYTES, linger_ms=5)

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def put(self, planned: PlannedRetry, one: Letter) -> None:
        """Send one; waits while too many are on their way."""
        record = retry(one.letter)
        topic, partition = place_of_retries(one.letter, self._box.n_partitions)
        try:
            future = await self._producer.send(
                self._box.prefix + topic, record.value, record.key, partition, headers=record.headers
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
        self._sent.failed.append((planned, str(broker_error(self._box.cluster, error))))
        self._on_progress(self._sent.n_sent + len(self._sent.failed))
