"""The Faust application: one consumer group, an agent for each modality, and none of Faust's defaults.

The agents hand each batch to its assignment without waiting: an agent that waited could stop the fetcher for all
topics. streams/worker/worker.py decides what becomes of a record and when its offset may be committed.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from streams.decisions.backpressure import limits_of_share
from streams.kafka.assignor import BalancedAssignor
from streams.kafka.batch_consumer import (
    RECORDS_PER_POLL,
    AssignmentListener,
    BatchConsumer,
    BatchTransport,
    FetchedBatch,
)
from streams.kafka.faust import faust
from streams.settings import WorkerSettings
from syncline.errors import SettingsError
from syncline.kafka.cluster import Cluster
from syncline.kafka.tolerant_fetch import MAX_UNPACKED_BYTES
from syncline.wire.contract import MEDIA_TOPICS

REQUEST_TIMEOUT_S = 30.0
"""Kafka's default. With Faust's 90 s a worker stood still that long when its JoinGroup was never answered."""

HandOver = Callable[[FetchedBatch], None]


class _BatchSchema(faust.Schema):
    """Passes on the value of streams/kafka/batch_consumer.py without decoding."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002
        return message.value


class _Boot(faust.App.BootStrategy):
    """Starts without Faust's producer, which is not used and needs a broker at the start."""

    enable_kafka_producer = False


class SynclineApp(faust.App):
    """The Faust application of the media topics; calls `listener` on assignments."""

    BootStrategy = _Boot

    def __init__(
        self, settings: WorkerSettings, cluster: Cluster, hand_over: HandOver, listener: AssignmentListener
    ) -> None:
        self.listener, self.stop_limit_s = listener, settings.stop_limit_ms / 1_000
        self.commit_limit_s = settings.handover.commit_s
        self.session_timeout_ms = settings.session_timeout_ms
        self.refused: SettingsError | None = None
        """The setting that the group's coordinator refused, if any."""
        self.max_unpacked_bytes = max(MAX_UNPACKED_BYTES, 2 * settings.max_event_bytes)
        self._join = settings.join
        self.n_shares = 1
        """The number of partition numbers of the present assignment, among which the limits are shared."""
        super().__init__(settings.group, **_faust_settings(settings, cluster))
        for topic in MEDIA_TOPICS:
            self._add_agent(settings.topic_prefix + topic, hand_over)

    @property
    def records_per_poll(self) -> int:
        """The limit of records a poll takes from one topic partition; read by the consumer's thread."""
        # With low limits, one poll of all topics must not exceed them: pressure would decide sets early.
        share = limits_of_share(self._join, self.n_shares)
        return min(RECORDS_PER_POLL, max(1, share.events // len(MEDIA_TOPICS)))

    def _add_agent(self, topic: str, hand_over: HandOver) -> None:
        channel = self.topic(topic, schema=_BatchSchema(), acks=False)

        async def deliver(stream: Any) -> None:
            async for batch in stream.noack():
                hand_over(batch)

        self.agent(channel, name=topic)(deliver)

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Create none: there are no tables, and a container's root may be read-only."""

    @property
    def batches(self) -> BatchConsumer:
        """The consumer, of the type in streams/kafka/batch_consumer.py."""
        return self.consumer


def _faust_settings(settings: WorkerSettings, cluster: Cluster) -> Mapping[str, Any]:
    return {
        "broker": [f"kafka://{address.strip()}" for address in cluster.brokers.split(",")],
        "broker_credentials": _credentials(cluster.options),
        "autodiscover": False,
        "broker_commit_interval": settings.commit_interval_ms / 1000,
        "broker_heartbeat_interval": settings.heartbeat_ms / 1000,
        "broker_session_timeout": settings.session_timeout_ms / 1000,
        "broker_rebalance_timeout": settings.session_timeout_ms / 1000,  # how long a rejoin waits for the others
        "broker_request_timeout": max(REQUEST_TIMEOUT_S, 2 * settings.session_timeout_ms / 1000),
        "broker_max_poll_interval": 10**6,  # waiting for the model or the producer must not end the membership
        "consumer_auto_offset_reset": "none",  # no policy skips records: streams/kafka/consumer_thread.py
        "consumer_max_fetch_size": settings.max_fetch_bytes,
        "stream_wait_empty": False,  # True hangs rebalances
        "PartitionAssignor": BalancedAssignor,  # which keeps equal partition numbers together
        "table_standby_replicas": 1,  # with 0 Faust takes aiokafka's round robin, which separates them
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,  # /livez and /readyz are streams/observe/server.py
        "loghandlers": [],
    }


def _credentials(options: Mapping[str, Any]) -> Any:
    """Return Faust credentials that give these aiokafka options; None without TLS and SASL."""
    context = options.get("ssl_context")  # always set: without it Faust's SSLCredentials raises a TypeError
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


__all__ = ["HandOver", "SynclineApp"]
