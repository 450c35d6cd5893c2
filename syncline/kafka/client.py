"""Starts and stops aiokafka's clients, with errors that say what to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    ProducerClosed,
    TransactionalIdAuthorizationFailed,
    UnknownError,
    UnsupportedVersionError,
)

from syncline.errors import BrokerError, BrokerTimeoutError, SettingsError, TopicError
from syncline.kafka.authorization import Need, missing_rights, needs_of, rights_error
from syncline.kafka.broker_errors import as_ours
from syncline.kafka.cluster import Cluster, warn_once
from syncline.kafka.diagnose import find_refusal
from syncline.kafka.routines import outlive_leaders, steady
from syncline.kafka.tolerant_fetch import read_any_batch

FETCH_MAX_WAIT_MS = 15
"""How long a broker holds a fetch that finds nothing. The embedded broker answers such a fetch late: 130 ms after a
record arrives at the usual limit of 500 ms, 14 ms at 100, under 5 ms at 15."""

TRANSACTIONS_LIMIT_S = 60.0
"""Limit for finding the transaction coordinator and ending what an earlier producer of this name left open."""

CLOSE_LIMIT_S = 1.0
"""How long closing connections may take to send what they hold."""

log = logging.getLogger(__name__)
_NOT_IDEMPOTENT = (UnknownError, UnsupportedVersionError, IncompatibleBrokerVersion, ClusterAuthorizationFailedError)


async def start_producer(cluster: Cluster, **options: Any) -> Any:
    """Start an AIOKafkaProducer with `acks=all`, idempotent if the broker supports it.

    Tansu does not (InitProducerId fails with UnknownError): then warn once a broker and go on without. options: more
    arguments of AIOKafkaProducer. Raises `BrokerError`, and `SettingsError` for a `transactional_id` at a broker
    without transactions.
    """
    if options.get("transactional_id"):
        return await _start_transactional(cluster, **options)
    try:
        return await _start(cluster, enable_idempotence=True, **options)
    except _NOT_IDEMPOTENT as error:
        warn_once(f"broker {cluster}: no idempotent producer ({error}); a retried send may appear twice")
    except KafkaError as error:
        raise await start_error(cluster, error) from error
    try:
        return await _start(cluster, **options)
    except KafkaError as error:
        raise await start_error(cluster, error) from error


async def _start_transactional(cluster: Cluster, **options: Any) -> Any:
    name = options["transactional_id"]
    try:
        async with asyncio.timeout(TRANSACTIONS_LIMIT_S):
            return await _start(cluster, **options)
    except TransactionalIdAuthorizationFailed as error:
        needs = [need for need in needs_of("producer") if need.resource == "transactional-id"]
        raise rights_error(cluster, needs, "", transactional_id=name) from error
    except _NOT_IDEMPOTENT as error:
        takes = f"a broker that has transactions, such as Apache Kafka; {cluster} has none, like the embedded broker"
        raise SettingsError("transactional_id", name, takes) from error
    except KafkaError as error:
        raise await start_error(cluster, error) from error
    except TimeoutError as error:
        why = f"no transaction coordinator answered within {TRANSACTIONS_LIMIT_S:.0f} s"
        raise BrokerTimeoutError(f"broker {cluster}: transactional_id {name!r}: {why}") from error


def cannot_go_on(producer: Any) -> bool:
    """Tell whether a transactional aiokafka producer has failed for good."""
    return producer._txn_manager.is_fatal_error()  # noqa: SLF001


async def _start(cluster: Cluster, **options: Any) -> Any:
    producer: Any = steady(AIOKafkaProducer(acks="all", **{**cluster.client_options(), **options}))
    with quiet():
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
    return producer


async def start_consumer(cluster: Cluster, *topics: str, **options: Any) -> Any:
    """Start an AIOKafkaConsumer that reads even broken records (`tolerant_fetch`). Call `revive` on it regularly.

    options: more arguments of AIOKafkaConsumer; the cluster's override them. Raises `KafkaError`.
    """
    consumer: Any = outlive_leaders(steady(AIOKafkaConsumer(*topics, **{**options, **cluster.client_options()})))
    read_any_batch(consumer)
    try:
        await consumer.start()
    except BaseException:
        await stop_consumer(consumer)
        raise
    return consumer


@contextmanager
def quiet() -> Generator[None]:
    """Drop aiokafka's log lines about failed connections: our error says it once, with what to do."""
    loggers = [logging.getLogger(name) for name in ("aiokafka", "aiokafka.producer.sender")]
    for logger in loggers:
        logger.addFilter(_not_ours)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_not_ours)


def _not_ours(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return "InitProducerId" not in text and "Unable connect to" not in text


async def start_error(cluster: Cluster, error: KafkaError) -> BrokerError:
    """Find out why a client could not start: the refusal that `find_refusal` sees, else aiokafka's error."""
    return await find_refusal(cluster) or broker_error(cluster, error)


def broker_error(cluster: Cluster, error: BaseException) -> BrokerError:
    """Translate a Kafka error to ours, with the broker's address."""
    return as_ours(error, f"broker {cluster}: {str(error) or type(error).__name__}")


async def stop_producer(producer: Any) -> None:
    """Stop an aiokafka producer after all its sends have an outcome.

    On cancellation or a timeout, stop it at once: sends without an answer fail.
    """
    try:
        await producer.stop()  # flushes
    except BaseException:
        # aiokafka calls it stopped, but its sender retries for ever and its connections stay open.
        producer._message_accumulator.fail_all(ProducerClosed("stopped before the broker had answered"))  # noqa: SLF001
        sending = producer._sender.sender_task  # noqa: SLF001
        if sending is not None and not sending.done():
            sending.cancel()
            await asyncio.wait([sending], timeout=CLOSE_LIMIT_S)
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await producer.client.close()
        raise


async def stop_consumer(consumer: Any, limit_s: float = 2.0) -> bool:
    """Stop an aiokafka consumer; return whether it left its group.

    limit_s: how long to wait, since aiokafka's `stop` can hang while the broker is away.
    """
    stopping = asyncio.ensure_future(_stop(consumer))
    await asyncio.wait([stopping], timeout=limit_s)
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait([stopping])
    if stopping.cancelled():
        return False
    if stopping.exception() is not None:
        log.info("a consumer did not stop cleanly", exc_info=stopping.exception())
    return stopping.exception() is None


async def _stop(consumer: Any) -> None:
    stopping = asyncio.current_task()
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        if stopping is None or stopping.cancelling():
            raise
        # Not our cancellation: aiokafka awaited a fetch that it had cancelled. It has left the group by then.
    except Exception as error:
        # aiokafka 0.14 cannot close a connection that is being made; it has left the group by then.
        if not _has_left(consumer):
            raise
        log.info("a consumer's connections did not close cleanly: %r", error)
    finally:
        async with asyncio.timeout(CLOSE_LIMIT_S):  # a failed `stop` leaves connections open
            await consumer._client.close()  # noqa: SLF001


def _has_left(consumer: Any) -> bool:
    """Tell whether it has no generation: it left its group or never joined one."""
    return getattr(getattr(consumer, "_coordinator", None), "generation", None) == -1


async def require_rights(cluster: Cluster, needs: Sequence[Need], prefix: str, group: str = "") -> None:
    """Raise `MissingRightError` if the broker denies any of `needs`, with the command that grants it."""
    try:
        with quiet():
            missing = await missing_rights(cluster, needs, prefix, group)
    except KafkaError as error:
        raise await start_error(cluster, error) from error
    if missing:
        raise rights_error(cluster, missing, prefix, group)


async def require_topics(cluster: Cluster, names: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions by topic (full names). Raises `TopicError` if one is missing; creates none."""
    client: Any = steady(AIOKafkaClient(**cluster.client_options()))
    try:
        with quiet():
            await client.bootstrap()
            # Ask for all: asking by name creates topics where the broker allows it.
            metadata = await client.fetch_all_metadata()
    except KafkaError as error:
        raise await start_error(cluster, error) from error
    finally:
        await client.close()
    counts = {name: len(metadata.partitions_for_topic(name) or ()) for name in names}
    missing = [name for name, n_partitions in counts.items() if not n_partitions]
    if missing:
        raise TopicError(
            f"broker {cluster} has no topic {', '.join(missing)}; make them with: syncline topics create "
            f"--brokers {cluster}, or give the topic prefix that they were made with"
        )
    return counts
