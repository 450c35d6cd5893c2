"""Sends dead letters again.

A selection is read twice: to make the plan, without the bytes, and to send:

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
"""Larger than any topic's limit, which then decides."""
MAX_WAITING_RECORDS, MAX_WAITING_BYTES = 500, 32 * 2**20
"""Limits of what is being sent at once."""
CLOCK_MARGIN_MS = 600_000
"""The search for a retry starts this long before its letter was appended: brokers' clocks may differ."""
_OURS = (c.H_RETRIES, c.H_RETRY_OF)


class Retry(NamedTuple):
    """A record to send again: unprefixed topic, key, value (None where the original's was null) and headers."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def why_not(letter: DeadLetter) -> str:
    """Return why a dead letter's original cannot be sent again; "" if it can."""
    if letter.cut:
        return f"not all of the original is here ({', '.join(letter.cut)}); it may still be at its origin"
    if letter.topic not in c.MEDIA_TOPICS:
        return f"its origin {letter.topic[:64]!r} is no media topic"
    if not letter.key:
        return "it has no key, so it belongs to no partition"
    return ""


def n_retries(letter: DeadLetter) -> int:
    """Return how many times the original had been sent again before this dead letter."""
    value = dict(letter.headers).get(c.H_RETRIES, b"")
    return int(value) if value.isdigit() and len(value) <= len(str(c.MAX_RETRIES)) else 0


def retry(letter: DeadLetter) -> Retry:
    """Make the record to send to the original's topic; only for letters whose `why_not` is "".

    An original without event time used its record's timestamp: the retry gets that as its event time, since its own
    timestamp is new.
    """
    headers = [(name, value) for name, value in letter.headers if name not in _OURS]
    if letter.reason != "bad_time" and all(name != c.H_TIME for name, _ in headers):
        headers.append((c.H_TIME, format_time(letter.timestamp_ms).encode()))
    headers.append((c.H_RETRIES, str(min(n_retries(letter) + 1, c.MAX_RETRIES)).encode()))
    headers.append((c.H_RETRY_OF, letter.id.encode()))
    return Retry(letter.topic, letter.key or b"", letter.data, headers)


def place_of_retries(letter: DeadLetter, n_partitions: int) -> tuple[str, int]:
    """Return the topic (without prefix) and partition of a letter's retries."""
    return letter.topic, partition_for(letter.key or b"", n_partitions)


class PlannedRetry(NamedTuple):
    """A letter of a plan: its place, id and reason, and how often it was sent again before."""

    partition: int
    offset: int
    id: str
    reason: str
    n_retries: int


@dataclass(slots=True)
class Plan:
    """The plan of a selection. `before`: letters sent again before; `cannot`: how many cannot be sent, by why."""

    selection: DeadLetterFilter
    to_send: list[PlannedRetry] = field(default_factory=list[PlannedRetry])
    before: list[PlannedRetry] = field(default_factory=list[PlannedRetry])
    cannot: Counter[str] = field(default_factory=Counter[str])
    n_repeats: int = 0


async def make_plan(box: DeadLetterReader, selection: DeadLetterFilter, *, again: bool) -> Plan:
    """Make the plan of a selection. again: include letters sent again before. Raises `BrokerError`."""
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
    """How many retries the broker took, and which it refused, with its answer."""

    n_sent: int = 0
    failed: list[tuple[PlannedRetry, str]] = field(default_factory=list[tuple[PlannedRetry, str]])


async def send_retries(
    box: DeadLetterReader, plan: Plan, on_progress: Callable[[int], None] = lambda _: None
) -> SentRetries:
    """Send a plan's letters, each to the partition of its key; `on_progress` is called with the number done."""
    sent, left = SentRetries(), plan.to_send
    while left:
        outgoing = _Outgoing(box, sent, on_progress)
        missing = await _send_some(box, plan.selection, left, outgoing)
        sent.failed += [(planned, "it no longer exists") for planned in missing]
        if len(outgoing.behind) == len(left):  # no progress
            sent.failed += [
                (planned, f"broker {box.cluster}: refused after another refused record") for planned in left
            ]
            break
        left = outgoing.behind
    return sent


async def _send_some(
    box: DeadLetterReader, selection: DeadLetterFilter, left: list[PlannedRetry], outgoing: _Outgoing
) -> Iterable[PlannedRetry]:
    """Send these with a new producer; return those that no longer exist."""
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
    """Sends retries, a limited number at once.

    An idempotent producer numbers its batches. After a refused batch the broker also refuses all later ones of that
    partition: those are in `behind` and need another producer.
    """

    def __init__(self, box: DeadLetterReader, sent: SentRetries, on_progress: Callable[[int], None]) -> None:
        self._box = box
        self._sent, self._on_progress = sent, on_progress
        self._producer: Any = None
        self.behind: list[PlannedRetry] = []
        self._waiting: deque[tuple[Any, PlannedRetry, int]] = deque()
        self._n_bytes = 0

    async def start(self) -> None:
        """Connect. Raises `BrokerError`."""
        self._producer = await start_producer(self._box.cluster, max_request_size=MAX_REQUEST_BYTES, linger_ms=5)

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def put(self, planned: PlannedRetry, one: Letter) -> None:
        """Send one; wait while too many are being sent."""
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
        """Wait until no more than the given number and bytes are being sent."""
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
