"""Asks the cluster's nodes in turn how many partitions topics have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from syncline.kafka.broker_errors import of_code
from syncline.kafka.client import broker_error, quiet, start_error
from syncline.kafka.cluster import Cluster
from syncline.kafka.routines import steady

_UNKNOWN_TOPIC = 3


class Nodes:
    """Asks a cluster's nodes in turn over kept connections; an async context manager.

    In turn, because a node may lag behind the others: it has just started, or lost its controller.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._client: Any = None
        self.node = 0
        """The node asked last."""
        self.known: list[int] = [0]
        """All nodes that it named."""

    async def __aenter__(self) -> Nodes:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def count(self, names: Iterable[str]) -> dict[str, int]:
        """Ask the next node for the number of partitions of topics (full names); 0 for an unknown topic.

        Raises `BrokerError` if the node does not answer or cannot tell for one of them.
        """
        client = await self._connected()
        self.node = next((node for node in self.known if node > self.node), self.known[0])
        try:
            # By name, since a cluster may have thousands of topics, and without creating any.
            answer = await client.send(self.node, MetadataRequest(list(names), allow_auto_topic_creation=False))
        except KafkaError as error:
            await self._close()  # a new connection learns the present nodes
            raise broker_error(self.cluster, error) from error
        told = answer.to_object()
        self.known = sorted(broker["node_id"] for broker in told["brokers"]) or [self.node]
        return {topic["topic"]: self._n_partitions(topic) for topic in told["topics"]}

    def _n_partitions(self, topic: Mapping[str, Any]) -> int:
        code: int = topic["error_code"]
        if code not in (0, _UNKNOWN_TOPIC):
            why = for_code(code).__name__
            raise of_code(
                code, f"node {self.node} of {self.cluster} cannot say how many partitions {topic['topic']} has: {why}"
            )
        return len(topic["partitions"]) if code == 0 else 0

    async def _connected(self) -> Any:
        if self._client is None:
            client: Any = steady(AIOKafkaClient(**self.cluster.client_options()))
            try:
                with quiet():
                    await client.bootstrap()
            except KafkaError as error:
                await client.close()
                raise await start_error(self.cluster, error) from error
            except BaseException:
                await client.close()
                raise
            self._client = client
            self.known = sorted(broker.nodeId for broker in client.cluster.brokers())
        return self._client

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
