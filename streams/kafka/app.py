"""The Faust application: one consumer group, an agent for each modality, and nothing that Faust does for us by default.

The agents hand each batch to the assignment that it belongs to and go on: an agent that waited could stop the fetcher
for all topics. What becomes of a record, and when its offset may be committed, is decided in streams/worker/worker.py.
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
"""Kafka's default. Faust waits 90 s: so long a worker stood still whose request to join was never answered."""

HandOver = Callable[[FetchedBatch], None]


class _BatchSchema(faust.Schema):
    """Passes on the value that streams/kafka/batch_consumer.py put there, unread."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ARG002
        return message.value


class _Boot(faust.App.BootStrategy):
    """Without Faust's producer, which nobody uses: connecting it needs a broker at the moment of the start."""

    enable_kafka_producer = False


class SynclineApp(faust.App):
    """A Faust application over the media topics; `listener` hears of its assignments."""

    BootStrategy = _Boot

    def __init__(
        self, settings: WorkerSettings, cluster: Cluster, hand_over: HandOver, listener: AssignmentListener
    ) -> None:
        self.listener, self.stop_limit_s = listener, settings.stop_limit_ms / 1_000
        self.commit_limit_s = settings.handover.commit_s
        self.session_timeout_ms = settings.session_timeout_ms
        self.refused: SettingsError | None = None
        """The setting that the group's coordinator does not take, where there is one."""
        self.max_unpacked_bytes = max(MAX_UNPACKED_BYTES, 2 * settings.max_event_bytes)
        self._join = settings.join
        self.n_shares = 1
        """Among how many partition numbers what may be held is shared out: those of the present assignment."""
        super().__init__(settings.group, **_faust_settings(settings, cluster))
        for topic in MEDIA_TOPICS:
            self._add_agent(settings.topic_prefix + topic, hand_over)

    @property
    def records_per_poll(self) -> int:
        """Of one topic partition at most; asked for by the consumer's thread."""
        # Where little may be held, what one poll brings of all topics must not be more: pressure would tear sets.
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
        """Make none: there are no tables, and a container's root is read-only."""

    @property
    def batches(self) -> BatchConsumer:
        """The consumer, with what streams/kafka/batch_consumer.py adds to it."""
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
        "broker_max_poll_interval": 10**6,  # a worker that waits for its model or its results must not be thrown out
        "consumer_auto_offset_reset": "none",  # nothing is skipped by a policy: streams/kafka/consumer_thread.py
        "consumer_max_fetch_size": settings.max_fetch_bytes,
        "stream_wait_empty": False,  # True hangs rebalances
        "PartitionAssignor": BalancedAssignor,  # which keeps equal partition numbers together
        "table_standby_replicas": 1,  # with 0 Faust takes aiokafka's round robin instead, which tears them apart
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,  # /livez and /readyz are streams/observe/server.py
        "loghandlers": [],
    }


def _credentials(options: Mapping[str, Any]) -> Any:
    """aiokafka's options as what Faust makes the same options of; None where there is no protection."""
    context = options.get("ssl_context")  # always ours: without one, Faust's SSLCredentials raises a TypeError
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


__all__ = ["HandOver", "SynclineApp"]
