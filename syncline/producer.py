"""Push media events onto Kafka: `MediaProducer`."""

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
"""Room for key and headers beside the largest value; 1 MB plus this stays below Kafka's limit of 1 MiB a record."""


class Delivery(NamedTuple):
    """Where the broker stored an event.

    Attributes:
        id (str): the event's id, `ce_id`.
        topic (str): the topic without its prefix, e.g. `media.image`.
        partition (int): the partition's number.
        offset (int): the record's offset in the partition.
    """

    id: str
    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class ProducerProgress:
    """Counts since the producer was made.

    Attributes:
        n_sent (int): events handed to the Kafka client. Default 0.
        n_delivered (int): events that the broker has. Default 0.
        n_failed (int): events that the broker did not take. Default 0.
        n_bytes (int): payload bytes that the broker has. Default 0.
    """

    n_sent: int = 0
    n_delivered: int = 0
    n_failed: int = 0
    n_bytes: int = 0


class EventFields(TypedDict, total=False):
    """The keyword arguments of `MediaProducer.send`, which describes them."""

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

    Sends use `acks=all`. Where the broker supports idempotence, a send waits as long as the broker is away, and so
    does leaving the context. Otherwise a send fails after 40 s. Topics are never created.

    Args:
        brokers (str): bootstrap addresses, `host:port,host:port`. Default `localhost:9092`.
        topic_prefix (str): in front of every topic's name. Default `syncline.`.
        source (str): URI of this producer, `ce_source`. Keep it over restarts: the worker warns of a second source on
            one lane. Default `urn:host:` and this machine's name.
        max_event_bytes (int): largest payload, bytes. Default 1,000,000.
        linger_ms (int): how long a batch waits for more events, ms. Default 2.
        on_progress (Callable[[ProducerProgress], None] | None): called after each delivery or failure. Default None.
        send_log (SendLog | None): gets the outcome of each send, for `syncline verify`. The caller closes it.
            Default None.
        security (SecuritySettings | None): TLS and password. Default None: neither.
        kafka_options (Mapping[str, Any] | None): more arguments for aiokafka's clients, e.g. `client_id`. They
            override `security`. Default None.
        transactional_id (str): a name that no other running producer has and that this one keeps over restarts. With
            it every send must be inside `transaction`. Default: no transactions.
        transaction_timeout_ms (int): the broker aborts a transaction that is open for longer, ms. Default 60,000.

    Raises:
        SettingsError: an argument is wrong.
        BrokerUnreachableError: on entering, no broker answers.
        TopicError: on entering, a topic is missing.
        AccessError: on entering, the broker refuses this client. Like the two above, a `BrokerError`.

    Example:
        >>> import asyncio
        >>> from syncline import MediaProducer
        >>> async def main() -> None:
        ...     async with MediaProducer("localhost:9092", source="urn:chat:1") as producer:
        ...         delivery = await producer.send("lobby", "text", text="hello", time_ms=1_772_366_400_260)
        ...         print(delivery.topic, producer.progress.n_delivered)
        >>> asyncio.run(main())
        media.text 1
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
        """The broker rejected a batch. An idempotent producer numbers batches and can send none after the gap."""

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

        Inside a transaction the event counts only once the transaction is committed.

        Args:
            stream (str): what the event belongs to, 1 to 256 characters; the record's key.
            modality (str): `image`, `text` or `audio`.
            data (bytes | None): the payload, a whole file. Default None: `text` is the payload.
            time_ms (int): event time, ms since 1970. Required.
            text (str): the payload of a text event, instead of `data`.
            lane (str): which of several sources of one modality. Default: the modality.
            id (str): unique within the source. Default: random.
            duration_ms (int): the event covers [time_ms, time_ms + duration_ms], ms. Default 0.
            language (str): BCP 47 tag, e.g. `en`. Default: unknown.
            content_type (str): e.g. `image/jpeg`. Default: found from the first bytes.
            traceparent (str): W3C trace context, passed on to the result. Default: none.

        Returns:
            Delivery: where the broker stored it.

        Raises:
            ContractError: the worker would reject the event.
            BrokerError: the broker did not take it, or the producer is not started.
        """
        return await (await self.send_soon(stream, modality, data, **fields))

    async def send_soon(
        self, stream: str, modality: str, data: bytes | None = None, **fields: Unpack[EventFields]
    ) -> asyncio.Future[Delivery]:
        """Send one event and wait only for room in the send buffer.

        Sends of one stream and modality stay in the order of these calls.

        Args:
            stream (str): as in `send`.
            modality (str): as in `send`.
            data (bytes | None): as in `send`. Default None.
            **fields (Unpack[EventFields]): as in `send`.

        Returns:
            asyncio.Future[Delivery]: await it for the delivery or its `BrokerError`.

        Raises:
            ContractError: the worker would reject the event.
            BrokerError: the producer is not started.
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
        """Commit all sends of a `with` block together, or abort them all on an exception.

        Keep it short: readers see nothing of it, nor later records of these partitions, before it ends. A producer has
        one transaction at a time. `progress` and `send_log` learn the outcome of its sends when it ends.

        Raises:
            AbortedError: a send failed, or the transaction took longer than its timeout.
            FencedError: another producer started with this `transactional_id`.
            BrokerError: it is unknown whether the transaction was committed.
            SettingsError: the producer has no `transactional_id`.

        Example:
            >>> import asyncio
            >>> from syncline import MediaProducer
            >>> async def main() -> None:
            ...     async with MediaProducer("localhost:9092", transactional_id="chat-1") as producer:
            ...         async with producer.transaction():
            ...             await producer.send("lobby", "text", text="hello", time_ms=1_000)
            ...             await producer.send("lobby", "text", text="again", time_ms=2_000)
            ...         print(producer.progress.n_delivered)
            >>> asyncio.run(main())
            2
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
        """Wait until every send so far has been delivered or has failed.

        Raises:
            BrokerError: the producer is not started.
        """
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
        """Return a client that can send: replace one that has a gap. The old one stops first, which keeps the order."""
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
        # The worker parses with the same function, so it accepts whatever passes here.
        parse_headers(event.topic, key, headers, event.time_ms)
        topic = self._prefix + event.topic
        self.progress.n_sent += 1
        delivery: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        try:
            partition = partition_for(key, self._n_partitions[topic])
            async with self._sending:
                client = self._started() if transaction is not None else await self._sound_client()
                sent = await client.send(topic, payload, key, partition, headers=headers)
        except BaseException as error:  # aiokafka did not accept it: no connection, or no room
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
            pass  # nobody waits for it; it still counts
        elif error is not None:
            delivery.set_exception(self._error_of(transaction, error))
        else:
            metadata = sent.result()
            delivery.set_result(Delivery(event.id, event.topic, metadata.partition, metadata.offset))
        # Last: the log or on_progress may raise, and the delivery is settled by then.
        self._ended(transaction, Sent(event, n_bytes, error, None if error is not None else sent.result()))

    def _error_of(self, transaction: Transaction | None, error: BaseException) -> BrokerError:
        return broker_error(self._cluster, error) if transaction is None else transaction.error_of(error)

    def _ended(self, transaction: Transaction | None, sent: Sent) -> None:
        if transaction is None:
            self._settled(sent)
        else:
            transaction.note(sent)

    def _settled(self, sent: Sent) -> None:
        """Count a send's final outcome and report it."""
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
