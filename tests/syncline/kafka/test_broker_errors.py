"""Which error a caller gets, by what is wrong with the broker."""

from __future__ import annotations

import pickle
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiokafka import errors as kafka

from syncline import (
    AbortedError,
    AccessError,
    BrokerError,
    BrokerTimeoutError,
    BrokerUnreachableError,
    MediaProducer,
    MissingRightError,
    ResultConsumer,
    TopicError,
)
from syncline.kafka.broker_errors import as_ours, of_code
from syncline.kafka.client import broker_error, require_topics
from syncline.kafka.cluster import Cluster
from syncline.transactions import Transaction
from syncline.wire.contract import ALL_TOPICS
from tests.support.brokers import TestBroker


@asynccontextmanager
async def asking(address: str, *, topic_prefix: str = "") -> AsyncGenerator[None]:
    """`require_topics`, entered like a client."""
    await require_topics(Cluster.of(address), [topic_prefix + topic for topic in ALL_TOPICS])
    yield


Enter = Callable[..., AbstractAsyncContextManager[Any]]
CLIENTS = [MediaProducer, ResultConsumer, asking]


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_broker_that_is_away_is_told_as_such(unused_tcp_port: int, client: Enter) -> None:
    """It may come back, so trying again may help."""
    with pytest.raises(BrokerUnreachableError) as caught:
        await client(f"127.0.0.1:{unused_tcp_port}").__aenter__()
    assert caught.value.may_retry


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_topic_that_is_missing_is_told_as_such(broker: TestBroker, topic_prefix: str, client: Enter) -> None:
    """Somebody must make it, so trying again alone does not help."""
    with pytest.raises(TopicError) as caught:
        await client(broker.address, topic_prefix=topic_prefix).__aenter__()
    assert not caught.value.may_retry


@pytest.mark.parametrize(
    ("error", "ours", "may_retry"),
    [
        (kafka.KafkaConnectionError("Unable to bootstrap"), BrokerUnreachableError, True),
        (kafka.KafkaError("Unable to get cluster metadata over all known brokers"), BrokerUnreachableError, True),
        (kafka.NodeNotReadyError(), BrokerUnreachableError, True),
        (kafka.LeaderNotAvailableError(), BrokerUnreachableError, True),
        (ConnectionResetError(), BrokerUnreachableError, True),
        (kafka.KafkaTimeoutError(), BrokerTimeoutError, True),
        (kafka.RequestTimedOutError(), BrokerTimeoutError, True),
        (TimeoutError(), BrokerTimeoutError, True),
        (kafka.InvalidReplicationFactorError(), TopicError, False),
        (kafka.UnknownTopicOrPartitionError(), TopicError, True),
        (kafka.SaslAuthenticationFailed(), AccessError, False),
        (kafka.TopicAuthorizationFailedError("t"), MissingRightError, False),
        (kafka.NotEnoughReplicasError(), BrokerError, True),
        (kafka.MessageSizeTooLargeError(), BrokerError, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_of_kafkas_is_told_as_what_it_means(
    error: BaseException, ours: type[BrokerError], may_retry: bool
) -> None:
    """What Kafka says will pass may be tried again, whatever the class says."""
    found = broker_error(Cluster.of("broker:1"), error)
    assert (type(found), found.may_retry) == (ours, may_retry)


def test_a_code_in_an_answer_is_told_as_the_error_that_it_stands_for() -> None:
    """Codes that nobody knows are a plain refusal."""
    codes = {7: BrokerTimeoutError, 3: TopicError, 29: MissingRightError, 38: TopicError, 9999: BrokerError}
    assert {code: type(of_code(code, "no")) for code in codes} == codes


def test_a_transaction_may_be_tried_again_where_its_refused_send_may() -> None:
    """A record that is too large aborts the next one as well."""
    transaction = Transaction(None, Cluster.of("broker:1"), "cam", 60_000, lambda sent: None)
    errors = [transaction.error_of(error) for error in (kafka.MessageSizeTooLargeError(), kafka.RequestTimedOutError())]
    assert [(type(error), error.may_retry) for error in errors] == [(AbortedError, False), (AbortedError, True)]


def test_an_error_that_goes_to_another_process_stays_what_it_is() -> None:
    """Its class, its text and whether to try again."""
    error = as_ours(kafka.NotEnoughReplicasError(), "too few")
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
    assert (type(there), str(there), there.may_retry) == (BrokerError, "too few", True)
