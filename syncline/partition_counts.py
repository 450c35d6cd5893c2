"""How many partitions topics have, as one node of the cluster after the other says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from syncline.cluster import Cluster
from syncline.errors import BrokerError
from syncline.kafka import broker_error, quiet, start_error
from syncline.routines import steady

_UNKNOWN_TOPIC = 3


class Nodes:
    """Asks the nodes of a cluster in turn, over connections that it keeps; an async context manager.

    A node may know less than the others for a while: it has just started, or has lost its controller.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._client: Any = None
        self.node = 0
        """The node that was asked last."""
        self.known: list[int] = [0]
        """All nodes that it told of."""

    async def __aenter__(self) -> Nodes:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def count(self, names: Iterable[str]) -> dict[str, int]:
        """The number of partitions of these topics (full names) as the next node knows it, 0 where it knows of none.

        Raises `BrokerError` where the node does not answer, or cannot say it of one of them.
        """
        client = await self._connected()
        self.node = next((node for node in self.known if node > self.node), self.known[0])
        try:
            # By name, for a cluster may have thousands of others; allowed to make none of them.
            answer = await client.send(self.node, MetadataRequest(list(names), allow_auto_topic_creation=False))
        except KafkaError as error:
            await self._close()  # connected anew, it is told of the nodes that are there now
            raise broker_error(self.cluster, error) from error
        told = answer.to_object()
        self.known = sorted(broker["node_id"] for broker in told["brokers"]) or [self.node]
        return {topic["topic"]: self._n_partitions(topic) for topic in told["topics"]}

    def _n_partitions(self, topic: Mapping[str, Any]) -> int:
        code: int = topic["error_code"]
        if code not in (0, _UNKNOWN_TOPIC):
            why = for_code(code).__name__
            raise BrokerError(
                f"node {self.node} of {self.cluster} cannot say how many partitions {topic['topic']} has: {why}"
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
