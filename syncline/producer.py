"""Push media events onto Kafka.

async with MediaProducer("localhost:9092") as producer:
    await producer.send("lobby", "image", jpeg_bytes, time_ms=1_772_366_400_250)
    await producer.send("lobby", "text", text="hello", time_ms=1_772_366_400_260, language="en")

async with MediaProducer("localhost:9092", transactional_id="camera-7") as producer, producer.transaction():
    await producer.send("lobby", "image", jpeg_bytes, time_ms=1_772_366_400_250)  # read with all others, or not at all
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Required, Self, TypedDict, Unpack

from aiokafka.errors import KafkaError

from syncline.errors import BrokerError, ContractError, FencedError, SettingsError, TopicError
from syncline.kafka.authorization import needs_of
from syncline.kafka.client import broker_error, require_rights, require_topics, start_producer, stop_producer
from syncline.kafka.cluster import Cluster
from syncline.kafka.security import SecuritySettings
from syncline.send_log import SendLog, send_of
from syncline.transactions import TRANSACTION_TIMEOUT_MS, Sent, Transaction
from syncline.wire import contract as c
from syncline.wire.events import MediaEvent, build_headers, check_value, parse_headers
from syncline.wire.media import check_modality, sniff_content_type
from syncline.wire.placement import partition_for

_OVERHEAD_BYTES = 48 * 1024
"""Room for headers and key beside the largest value: 1 MB and this stay below Kafka's 1 MiB a record."""


class Delivery(NamedTuple):
    """Where an event is now: its id, unprefixed topic, partition and offset."""

    id: str
    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class ProducerProgress:
    """Counts since the start: events handed to the client, on the broker, failed; payload bytes on the broker."""

    n_sent: int = 0
    n_delivered: int = 0
    n_failed: int = 0
    n_bytes: int = 0


class EventFields(TypedDict, total=False):
    """What can be said of an event beside stream, modality and data.

    time_ms: event time, integer ms since 1970. duration_ms: the event covers [time_ms, time_ms + duration_ms].
    text: the payload of a text event. lane: which of several sources of one modality, default the modality.
    id: unique within the source, default random. language: BCP 47. content_type: default by the first bytes.
    traceparent: W3C trace context, passed on to the result.
    """

    time_ms: Required[int]
    text: str
    lane: str
    id: str
    duration_ms: int
    language: str
    content_type: str
    traceparent: str


class MediaProducer:
    """Sends media events to the `media.*` topics; an async context manager.

    source: URI of this producer (`ce_source`), default `urn:host:` + this machine's name; it should outlive
    restarts, since a second source on one lane is warned of. max_event_bytes: largest payload. linger_ms: how long a
    batch may wait for more. on_progress: called after each delivery or failure. send_log: told of each send how it
    ended, for `syncline verify`; closing it is the caller's. security: TLS and password, default
    neither. kafka_options: further arguments for aiokafka's clients, such as `client_id`; they go before `security`.
    transactional_id: a name that no other producer has at the same time, and that this one keeps over restarts; then
    all sends are in a `transaction`. transaction_timeout_ms: one that is open for longer is aborted by the broker.
    Sends with `acks=all`, idempotent where the broker can: then a send, and leaving too, waits for a broker that is
    away as long as it takes. Else a send fails after 40 s. Wrong settings raise `SettingsError`.
    Entering raises `BrokerUnreachableError` where the broker cannot be reached, `TopicError` where it lacks a topic
    (topics are never created), `AccessError` where it does not let this client in: all of them are `BrokerError`.
    """

    def __init__(
        self,
        brokers: str = c.DEFAULT_BROKERS,
        *,
        topic_prefix: str = c.DEFAULT_PREFIX,
        source: str = "",
        max_event_bytes: int = c.MAX_EVENT_BYTES,
        linger_ms: int = 2,
        on_progress: Callable[[ProducerProgress], None] | None = None,
        send_log: SendLog | None = None,
        security: SecuritySettings | None = None,
        kafka_options: Mapping[str, Any] | None = None,
        transactional_id: str = "",
        transaction_timeout_ms: int = TRANSACTION_TIMEOUT_MS,
    ) -> None:
        if max_event_bytes < 1:
            raise SettingsError("max_event_bytes", max_event_bytes, "an integer of at least 1")
        if transaction_timeout_ms < 1:
            raise SettingsError("transaction_timeout_ms", transaction_timeout_ms, "an integer of at least 1")
        self._transactional_id, self._transaction_timeout_ms = transactional_id, transaction_timeout_ms
        self._transaction: Transaction | None = None
        self._fenced: FencedError | None = None
        self.progress = ProducerProgress()
        self._cluster = Cluster.of(brokers, security, kafka_options)
        self._prefix, self._linger_ms = topic_prefix, linger_ms
        self._source = source or f"urn:host:{socket.gethostname()}"
        self._max_event_bytes = max_event_bytes
        self.on_progress = on_progress
        self._send_log = send_log
        self._n_partitions: dict[str, int] = {}
        self._client: Any = None
        self._sending = asyncio.Lock()
        self._has_gap = False
        """The broker refused a batch: an idempotent producer counts them, and can send none behind the gap."""

    async def __aenter__(self) -> Self:
        await require_rights(self._cluster, needs_of("producer"), self._prefix)
        names = [self._prefix + topic for topic in c.MEDIA_TOPICS]
        self._n_partitions = await require_topics(self._cluster, names)
        if len(set(self._n_partitions.values())) > 1:
            counts = ", ".join(f"{name} has {count}" for name, count in self._n_partitions.items())
            raise TopicError(f"broker {self._cluster}: media topics differ in their number of partitions: {counts}")
        self._client = await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        client, self._client = self._client, None
        await stop_producer(client)

    async def send(
        self, stream: str, modality: str, data: bytes | None = None, **fields: Unpack[EventFields]
    ) -> Delivery:
        """Send one event and wait until the broker has it.

        data: the payload, the file's bytes; for text give `text` instead. fields: see `EventFields`.
        Raises `ContractError` for what the worker would refuse, `BrokerError` for what the broker does. In a
        transaction the broker has it then, and whether it counts is known at the transaction's end.
        """
        return await (await self.send_soon(stream, modality, data, **fields))

    async def send_soon(
        self, stream: str, modality: str, data: bytes | None = None, **fields: Unpack[EventFields]
    ) -> asyncio.Future[Delivery]:
        """Like `send`, but wait for room in the send buffer only; await what it returns for the delivery.

        Events of one stream and modality reach the broker in the order of these calls.
        """
        check_modality(modality)
        text = fields.get("text")
        if (data is None) == (text is None):
            raise ContractError("null_value", "give either data (bytes) or text (str)")
        payload = data if data is not None else (text or "").encode()
        event = MediaEvent(
            stream=stream,
            modality=modality,
            source=self._source,
            id=fields.get("id") or uuid.uuid4().hex,
            time_ms=fields["time_ms"],
            content_type=fields.get("content_type") or sniff_content_type(modality, payload),
            lane=fields.get("lane", ""),
            duration_ms=fields.get("duration_ms", 0),
            language=fields.get("language", ""),
            traceparent=fields.get("traceparent", ""),
        )
        return await self._enqueue(event, check_value(event, payload, self._max_event_bytes))

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Send all that is sent meanwhile together: committed at the end, aborted on an exception.

        Nobody reads any of it before it is committed, and records that others have written behind it wait with it: keep
        it short. One at a time. `progress` and `send_log` are told of its sends at its end; those of one that is
        aborted have failed. Raises `AbortedError` where not all of its sends were taken, or it took too long;
        `FencedError` where another producer with this `transactional_id` has begun; `BrokerError` where it is not known
        whether it was committed; `SettingsError` without a `transactional_id`.
        """
        self._transaction = transaction = await self._begin()
        try:
            try:
                yield
            except BaseException:
                await transaction.abort()
                raise
            await transaction.commit()
        except FencedError as error:
            self._fenced = error
            raise
        finally:
            self._transaction = None
            self._has_gap |= transaction.is_broken

    async def _begin(self) -> Transaction:
        if not self._transactional_id:
            raise SettingsError("transactional_id", self._transactional_id, "a name of its own for each producer")
        if self._transaction is not None:
            raise BrokerError("a transaction is open; a producer has one at a time")
        if self._fenced is not None:
            raise FencedError(str(self._fenced))
        async with self._sending:
            client = await self._sound_client()
        await client.begin_transaction()
        return Transaction(client, self._cluster, self._transactional_id, self._transaction_timeout_ms, self._settled)

    async def flush(self) -> None:
        """Wait until everything sent so far is on the broker or has failed."""
        await self._started().flush()

    async def _start(self) -> Any:
        options: dict[str, Any] = {
            "max_request_size": self._max_event_bytes + _OVERHEAD_BYTES, "linger_ms": self._linger_ms
        }  # fmt: skip
        if self._transactional_id:
            options["transactional_id"] = self._transactional_id
            options["transaction_timeout_ms"] = self._transaction_timeout_ms
        return await start_producer(self._cluster, **options)

    async def _sound_client(self) -> Any:
        """The client, another one where the last has a gap; the old one ends first, so that the order stays."""
        client = self._started()
        if self._has_gap:
            await stop_producer(client)
            self._client = client = await self._start()
            self._has_gap = False
        return client

    def _started(self) -> Any:
        if self._client is None:
            raise BrokerError("the producer is not started: use it as `async with MediaProducer(…) as producer`")
        return self._client

    async def _enqueue(self, event: MediaEvent, payload: bytes) -> asyncio.Future[Delivery]:
        self._started()
        transaction = self._transaction
        if self._transactional_id and transaction is None:
            raise BrokerError("this producer has a transactional_id: send inside `async with producer.transaction()`")
        key, headers = event.stream.encode(), build_headers(event)
        # Read back what will be sent: the worker reads with the same function, so it refuses nothing that goes out.
        parse_headers(event.topic, key, headers, event.time_ms)
        topic = self._prefix + event.topic
        self.progress.n_sent += 1
        delivery: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        try:
            partition = partition_for(key, self._n_partitions[topic])
            async with self._sending:
                client = self._started() if transaction is not None else await self._sound_client()
                sent = await client.send(topic, payload, key, partition, headers=headers)
        except BaseException as error:  # no connection, no room: aiokafka has not taken it
            self._ended(transaction, Sent(event, 0, error))
            if isinstance(error, KafkaError):
                raise self._error_of(transaction, error) from error
            raise

        def on_done(sent: Any) -> None:
            self._delivered(sent, delivery, event, len(payload), transaction)

        sent.add_done_callback(on_done)
        if transaction is not None:
            transaction.add(sent)
        return delivery

    def _delivered(
        self,
        sent: Any,
        delivery: asyncio.Future[Delivery],
        event: MediaEvent,
        n_bytes: int,
        transaction: Transaction | None,
    ) -> None:
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        self._has_gap |= isinstance(error, KafkaError) and not error.retriable
        if delivery.cancelled():
            pass  # nobody waits for it any more; it counts all the same
        elif error is not None:
            delivery.set_exception(self._error_of(transaction, error))
        else:
            metadata = sent.result()
            delivery.set_result(Delivery(event.id, event.topic, metadata.partition, metadata.offset))
        # Last, because a log may be full and on_progress is somebody else's: should it raise, the delivery is settled.
        self._ended(transaction, Sent(event, n_bytes, error, None if error is not None else sent.result()))

    def _error_of(self, transaction: Transaction | None, error: BaseException) -> BrokerError:
        return broker_error(self._cluster, error) if transaction is None else transaction.error_of(error)

    def _ended(self, transaction: Transaction | None, sent: Sent) -> None:
        if transaction is None:
            self._settled(sent)
        else:
            transaction.note(sent)

    def _settled(self, sent: Sent) -> None:
        """Note how a send ended for good."""
        event, n_bytes, error, metadata = sent
        if error is not None:
            self.progress.n_failed += 1
        else:
            self.progress.n_delivered += 1
            self.progress.n_bytes += n_bytes
        if self._send_log is not None:
            place = (-1, -1) if error is not None else (metadata.partition, metadata.offset)
            self._send_log.write(send_of(event, error, *place))
        if self.on_progress is not None:
            self.on_progress(self.progress)
