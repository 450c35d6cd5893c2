"""Translates Kafka's errors to Syncline's."""

from __future__ import annotations

from aiokafka import errors as kafka

from syncline.errors import (
    AccessError,
    BrokerError,
    BrokerTimeoutError,
    BrokerUnreachableError,
    MissingRightError,
    TopicError,
)

_NO_METADATA = "Unable to get cluster metadata"
"""aiokafka's message when none of its known brokers answers; that error has no class."""

_KINDS: tuple[tuple[type[BrokerError], tuple[type[BaseException], ...]], ...] = (
    (BrokerTimeoutError, (kafka.KafkaTimeoutError, kafka.RequestTimedOutError, TimeoutError)),
    (
        BrokerUnreachableError,
        (
            kafka.KafkaConnectionError,
            kafka.KafkaUnavailableError,
            kafka.NoBrokersAvailable,
            kafka.MetadataEmptyBrokerList,
            kafka.NodeNotReadyError,
            kafka.StaleMetadata,
            kafka.BrokerNotAvailableError,
            kafka.ReplicaNotAvailableError,
            kafka.LeaderNotAvailableError,
            kafka.NotLeaderForPartitionError,
            kafka.GroupCoordinatorNotAvailableError,
            kafka.CoordinatorNotAvailableError,
            kafka.NotCoordinatorForGroupError,
            kafka.NotCoordinatorError,
            kafka.NotControllerError,
            OSError,
        ),
    ),
    (
        TopicError,
        (
            kafka.UnknownTopicOrPartitionError,
            kafka.InvalidTopicError,
            kafka.InvalidPartitionsError,
            kafka.InvalidReplicationFactorError,
            kafka.InvalidReplicationAssignmentError,
            kafka.InvalidConfigurationError,
            kafka.PolicyViolationError,
        ),
    ),
    (
        MissingRightError,
        (
            kafka.TopicAuthorizationFailedError,
            kafka.GroupAuthorizationFailedError,
            kafka.ClusterAuthorizationFailedError,
            kafka.TransactionalIdAuthorizationFailed,
        ),
    ),
    (
        AccessError,
        (
            kafka.AuthenticationFailedError,
            kafka.AuthenticationMethodNotSupported,
            kafka.SaslAuthenticationFailed,
            kafka.UnsupportedSaslMechanismError,
            kafka.IllegalSaslStateError,
        ),
    ),
)


def as_ours(error: BaseException, text: str) -> BrokerError:
    """Translate a Kafka error to ours with message `text`; `may_retry` if Kafka calls it retriable."""
    kind = next((ours for ours, theirs in _KINDS if isinstance(error, theirs)), BrokerError)
    if kind is BrokerError and isinstance(error, kafka.KafkaError) and _NO_METADATA in str(error):
        kind = BrokerUnreachableError
    passes = isinstance(error, kafka.KafkaError) and error.retriable
    return kind(text, may_retry=kind.may_retry or passes)


def of_code(code: int, text: str) -> BrokerError:
    """Translate an error code of a Kafka response, with message `text`."""
    return as_ours(kafka.for_code(code)(), text)
