"""Read results from Kafka, typed and without repeats: `ResultConsumer`."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from syncline.errors import BrokerError, ContractError, NewerVersionError, SettingsError
from syncline.kafka.authorization import Need, needs_of
from syncline.kafka.client import (
    FETCH_MAX_WAIT_MS,
    broker_error,
    quiet,
    require_rights,
    require_topics,
    start_consumer,
    start_error,
    stop_consumer,
)
from syncline.kafka.cluster import Cluster
from syncline.kafka.routines import revive
from syncline.kafka.security import SecuritySettings
from syncline.wire import contract as c
from syncline.wire.converted import ConvertedAudio, ConvertedText, decode_converted, decode_converted_audio
from syncline.wire.deadletters import DeadLetter, decode_dead_letter
from syncline.wire.results import FusedResult, Unfused, check_version, decode_fused, decode_unfused

log = logging.getLogger(__name__)


Result = FusedResult | ConvertedText | ConvertedAudio | Unfused | DeadLetter
_DECODE: dict[str, Callable[[bytes], Result]] = {
    c.FUSED: decode_fused,
    c.CONVERTED_TEXT: decode_converted,
    c.CONVERTED_AUDIO: decode_converted_audio,
    c.UNFUSED: decode_unfused,
}
READABLE_TOPICS = (*_DECODE, c.DEADLETTER)


class Received(NamedTuple):
    """A result and the record it came in.

    Attributes:
        result (FusedResult | ConvertedText | ConvertedAudio | Unfused | DeadLetter): the decoded value.
        topic (str): the topic without its prefix, e.g. `results.fused`.
        partition (int): the partition's number.
        offset (int): the record's offset in the partition.
        append_ms (int): when the broker took the record, ms since 1970.
    """

    result: Result
    topic: str
    partition: int
    offset: int
    append_ms: int


def read_record(topic: str, record: Any) -> Received:
    """Decode a record of a readable topic (named without prefix).

    Raises ContractError if it breaks the contract, NewerVersionError if it has a later version.
    """
    check_version(record.headers)
    if topic == c.DEADLETTER:
        result = decode_dead_letter(record.key, record.value, record.headers)
    else:
        result = _DECODE[topic](record.value or b"")
    return Received(result, topic, record.partition, record.offset, record.timestamp)


class DedupCache:
    """Remembers the ids of the last `n_ids` results, about 200 bytes each."""

    def __init__(self, n_ids: int) -> None:
        self._n_ids = n_ids
        self._seen: dict[tuple[str, str], None] = {}  # keeps its order: the oldest goes first

    def is_repeat(self, received: Received) -> bool:
        """Tell whether this result was seen before, and remember it."""
        key = (received.topic, received.result.id)
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > self._n_ids:
            del self._seen[next(iter(self._seen))]
        return False


DEFAULT_REMEMBERED_IDS = 100_000
COMMIT_INTERVAL_S = 5.0
LEAVE_LIMIT_S = 10.0
"""How long the broker may take to let a consumer leave its group."""
_MAX_RECORDS = 500


@dataclass(slots=True)
class ConsumerProgress:
    """Counts since the consumer was made.

    Attributes:
        n_received (int): results handed out. Default 0.
        n_repeats (int): repeats dropped. Default 0.
        n_unreadable (int): records that break the contract, skipped. Default 0.
        n_bytes (int): value bytes of the results handed out. Default 0.
    """

    n_received: int = 0
    n_repeats: int = 0
    n_unreadable: int = 0
    n_bytes: int = 0


class ResultConsumer:
    """Reads results; an async context manager and an async iterator of `Received`.

    In a group, asking for the next result marks the one before as done. A result that is not done comes again after a
    crash; none is lost. After its own crashes the service may write a result twice: the second is dropped.

    Args:
        brokers (str): bootstrap addresses, `host:port,host:port`. Default `localhost:9092`.
        topics (Sequence[str]): topics without prefix, of `READABLE_TOPICS`. Default `("results.fused",)`.
        topic_prefix (str): in front of every topic's name. Default `syncline.`.
        group_id (str | None): the consumer group, whose members share the partitions. Default None: read all
            partitions and commit nothing.
        start (Literal["earliest", "latest"]): where to begin without a committed offset. Default `earliest`.
        remember_ids (int): how many results back a repeat is recognised; 100,000 take 20 MB. Default 100,000.
        on_progress (Callable[[ConsumerProgress], None] | None): called after each result. Default None.
        security (SecuritySettings | None): TLS and password. Default None: neither.
        kafka_options (Mapping[str, Any] | None): more arguments for aiokafka's clients; they override `security`.
            Default None.

    Raises:
        SettingsError: an argument is wrong.
        BrokerUnreachableError: on entering, no broker answers.
        TopicError: on entering, a topic is missing; topics are never created.
        AccessError: on entering, the broker refuses this client. Like the two above, a `BrokerError`.

    Example:
        >>> import asyncio
        >>> from syncline import ResultConsumer
        >>> async def main() -> None:
        ...     async with ResultConsumer("localhost:9092") as results:
        ...         async for received in results:
        ...             print(received.result.stream, received.result.outcome, received.result.labels[0])
        ...             break
        >>> asyncio.run(main())
        lobby partial ('cat', 0.75)
    """

    def __init__(
        self,
        brokers: str = c.DEFAULT_BROKERS,
        topics: Sequence[str] = (c.FUSED,),
        *,
        topic_prefix: str = c.DEFAULT_PREFIX,
        group_id: str | None = None,
        start: Literal["earliest", "latest"] = "earliest",
        remember_ids: int = DEFAULT_REMEMBERED_IDS,
        on_progress: Callable[[ConsumerProgress], None] | None = None,
        security: SecuritySettings | None = None,
        kafka_options: Mapping[str, Any] | None = None,
    ) -> None:
        _check_settings(topics, start, remember_ids)
        self.progress = ConsumerProgress()
        self._cluster = Cluster.of(brokers, security, kafka_options)
        self._prefix, self._group_id, self._start = topic_prefix, group_id, start
        self._names = [topic_prefix + topic for topic in dict.fromkeys(topics)]
        self._remembered = DedupCache(remember_ids)
        self._on_progress = on_progress
        self._records: deque[Any] = deque()
        self._done: dict[Any, int] = {}
        self._in_hand: dict[Any, int] = {}
        """By partition, the offset after the last result that is handed out and not done."""
        self._ends: dict[Any, int] = {}
        self._committed_s = time.monotonic()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        await require_rights(self._cluster, self._needs(), self._prefix, self._group_id or "")
        await require_topics(self._cluster, self._names)
        client: Any = None
        try:
            with quiet():
                client = await start_consumer(
                    self._cluster,
                    *self._names,
                    group_id=self._group_id,
                    auto_offset_reset=self._start,
                    enable_auto_commit=False,
                    fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
                )
            if self._start == "latest" and self._group_id is None:
                # Otherwise aiokafka looks the end up at the first read and skips what arrives until then.
                await client.seek_to_end()
        except BaseException as error:
            if client is not None:
                await stop_consumer(client)
            if isinstance(error, KafkaError):
                raise await start_error(self._cluster, error) from error
            raise
        self._client = client
        return self

    def _needs(self) -> list[Need]:
        mine = tuple(name[len(self._prefix) :] for name in self._names)
        needs = [need._replace(topics=mine) if need.topics else need for need in needs_of("consumer")]
        return [need for need in needs if need.topics or self._group_id is not None]

    async def __aexit__(self, *_: object) -> None:
        # The result in hand is not marked as done: nobody asked for the next one.
        try:
            await self._commit()
        finally:
            client, self._client = self._client, None
            await stop_consumer(client, LEAVE_LIMIT_S)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        received = await self.receive()
        if received is None:
            raise StopAsyncIteration
        return received

    async def receive(self, timeout_s: float | None = None) -> Received | None:
        """Wait for the next result, and mark the one before as done.

        Args:
            timeout_s (float | None): how long to wait, s. Default None: for ever.

        Returns:
            Received | None: None if the time is up or the consumer was closed.

        Raises:
            BrokerError: the broker cannot be read, or the consumer is not started.
            NewerVersionError: a newer Syncline wrote the next result. It stays next until this client is upgraded.
        """
        found = await self.receive_many(1, timeout_s)
        return found[0] if found else None

    async def receive_many(self, max_results: int, timeout_s: float | None = None) -> list[Received]:
        """Collect up to `max_results` results, and mark all those before as done.

        Args:
            max_results (int): return at this many.
            timeout_s (float | None): return after this long with what there is, s. Default None: wait for all.

        Returns:
            list[Received]: fewer than `max_results` if the time is up, the consumer was closed, or the next result
            raises `NewerVersionError`: that is raised by the next call.

        Raises:
            BrokerError: the broker cannot be read, or the consumer is not started.
            NewerVersionError: a newer Syncline wrote the next result.
        """
        self._finish()
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        found: list[Received] = []
        while True:
            self._take_fetched(found, max_results)
            if len(found) >= max_results:
                return found
            if self._done and time.monotonic() - self._committed_s > COMMIT_INTERVAL_S:
                await self._commit()
            left_s = 1.0 if deadline_s is None else min(1.0, deadline_s - time.monotonic())
            if left_s <= 0 or not await self._fetch(left_s):
                return found

    async def commit(self) -> None:
        """Mark all results handed out as done and commit now; otherwise commits happen every 5 s."""
        self._finish()
        await self._commit()

    @property
    def closed(self) -> bool:
        """Whether the context has not been entered, or has been left."""
        return self._client is None

    async def at_end(self) -> bool:
        """Tell whether this consumer has handed out what its partitions held when it first learned their ends.

        In a group only its own partitions count; other members may be behind.
        """
        if self.closed or self._records:
            return self.closed
        for partition in self._client.assignment():
            end = self._ends.get(partition, self._client.highwater(partition))
            if end is None:
                return False
            self._ends[partition] = end
            if await self._client.position(partition) < end:
                return False
        return True

    async def _fetch(self, wait_s: float) -> bool:
        """Fetch records for at most `wait_s`; False if the consumer is closed."""
        if self._client is None:
            raise BrokerError("the consumer is not started: use it as `async with ResultConsumer(…) as results`")
        if ended := revive(self._client):
            log.warning("reading results: %s; restarted", ended)
        try:
            batches = await self._client.getmany(timeout_ms=max(1, int(wait_s * 1000)), max_records=_MAX_RECORDS)
        except ConsumerStoppedError:
            return False
        except KafkaError as error:
            raise broker_error(self._cluster, error) from error
        for records in batches.values():
            self._records.extend(records)
        return True

    def _take_fetched(self, found: list[Received], max_results: int) -> None:
        """Move fetched results into `found` until it has `max_results`."""
        while self._records and len(found) < max_results:
            try:
                received = self._take(self._records.popleft())
            except NewerVersionError:
                if not found:
                    raise
                return  # hand out the earlier ones first
            if received is not None:
                found.append(received)

    def _take(self, record: Any) -> Received | None:
        """Decode a record; None if it is a repeat or unreadable."""
        topic = record.topic[len(self._prefix) :]
        try:
            received = read_record(topic, record)
        except NewerVersionError:
            self._records.appendleft(record)  # not done: a newer client will find it again
            raise
        except ContractError as error:
            self.progress.n_unreadable += 1
            log.warning("%s/%d/%d cannot be read: %s", record.topic, record.partition, record.offset, error)
            self._pass_over(record)
            return None
        if self._remembered.is_repeat(received):
            self.progress.n_repeats += 1
            self._pass_over(record)
            return None
        self._in_hand[_partition_of(record)] = record.offset + 1
        self.progress.n_received += 1
        self.progress.n_bytes += len(record.value or b"")
        if self._on_progress is not None:
            self._on_progress(self.progress)
        return received

    def _finish(self) -> None:
        self._done |= self._in_hand
        self._in_hand.clear()

    def _pass_over(self, record: Any) -> None:
        """Skip a record: it is done once the results before it are."""
        partition = _partition_of(record)
        behind = self._in_hand if partition in self._in_hand else self._done
        behind[partition] = record.offset + 1

    async def _commit(self) -> None:
        self._committed_s = time.monotonic()
        client = self._client
        if client is None or not self._done or self._group_id is None:
            return
        assigned: set[Any] = client.assignment()
        offsets = {partition: offset for partition, offset in self._done.items() if partition in assigned}
        self._done.clear()
        if not offsets:
            return
        try:
            await client.commit(offsets)
        except KafkaError as error:
            # A rebalance took the partitions; their next owner reads these results again.
            log.warning("group %s: offsets not committed: %s", self._group_id, error)


def _partition_of(record: Any) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _check_settings(topics: Sequence[str], start: str, remember_ids: int) -> None:
    for topic in topics:
        if topic not in READABLE_TOPICS:
            raise SettingsError("topics", topic, f"{', '.join(READABLE_TOPICS)} (without prefix)")
    if not topics:
        raise SettingsError("topics", "", f"at least one of {', '.join(READABLE_TOPICS)}")
    if start not in ("earliest", "latest"):
        raise SettingsError("start", start, "earliest or latest")
    if remember_ids < 1:
        raise SettingsError("remember_ids", remember_ids, "an integer of at least 1")
