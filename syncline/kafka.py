"""What the producer and the consumer share towards Kafka: starting clients, and errors that say what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaError,
    UnknownError,
    UnsupportedVersionError,
)

from syncline.errors import BrokerError

FETCH_MAX_WAIT_MS = 15
"""For so long a broker holds a fetch that finds nothing. The embedded broker wakes such a fetch late: 130 ms after a
record came where it may wait the usual 500 ms, 14 ms at 100, less than 5 ms at 15."""

log = logging.getLogger(__name__)
_NOT_IDEMPOTENT = (UnknownError, UnsupportedVersionError, IncompatibleBrokerVersion, ClusterAuthorizationFailedError)
_warned: set[str] = set()


async def start_producer(brokers: str, **options: Any) -> Any:
    """Return a started AIOKafkaProducer with `acks=all`, idempotent where the broker can.

    Tansu cannot (its InitProducerId answers UnknownError): there the producer goes on without, and one warning a
    broker is logged. options: further arguments of AIOKafkaProducer. Raises `BrokerError`.
    """
    try:
        return await _start(brokers, enable_idempotence=True, **options)
    except _NOT_IDEMPOTENT as error:
        if brokers not in _warned:
            _warned.add(brokers)
            log.warning(
                "broker %s: no idempotent producer (%s); a send that is repeated may appear twice", brokers, error
            )
    except KafkaError as error:
        raise broker_error(brokers, error) from error
    try:
        return await _start(brokers, **options)
    except KafkaError as error:
        raise broker_error(brokers, error) from error


async def _start(brokers: str, **options: Any) -> Any:
    producer: Any = AIOKafkaProducer(bootstrap_servers=brokers, acks="all", **options)
    sender_log = logging.getLogger("aiokafka.producer.sender")
    sender_log.addFilter(_expected)
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    finally:
        sender_log.removeFilter(_expected)
    return producer


def _expected(record: logging.LogRecord) -> bool:
    # aiokafka logs an error for what we try on purpose and answer with a warning of our own.
    return "InitProducerId" not in record.getMessage()


def broker_error(brokers: str, error: BaseException) -> BrokerError:
    """A Kafka error as ours, with the broker's address."""
    return BrokerError(f"broker {brokers}: {str(error) or type(error).__name__}")


async def require_topics(brokers: str, names: Iterable[str], options: Mapping[str, Any]) -> dict[str, int]:
    """Number of partitions by topic (full names); raises `BrokerError` where one is missing. Creates none."""
    client: Any = AIOKafkaClient(bootstrap_servers=brokers, **options)
    try:
        await client.bootstrap()
        # All topics: a broker that may create topics does so for any that is asked for by name.
        cluster = await client.fetch_all_metadata()
    except KafkaError as error:
        raise broker_error(brokers, error) from error
    finally:
        await client.close()
    counts = {name: len(cluster.partitions_for_topic(name) or ()) for name in names}
    missing = [name for name, n_partitions in counts.items() if not n_partitions]
    if missing:
        raise BrokerError(
            f"broker {brokers} has no topic {', '.join(missing)}; make them with: syncline topics create "
            f"--brokers {brokers}, or give the topic prefix that they were made with"
        )
    return counts
