"""What is done to an Apache Kafka under test: a topic made to refuse, the broker killed that matters most."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from syncline.kafka.cluster import as_cluster
from syncline.kafka.topics import admin_client
from tests.support.apache_kafka import ApacheKafka

RETRY_S = 0.1
LIMIT_S = 60.0
IN_FLIGHT_S = 0.3
_SET_ON_THE_TOPIC = 1
"""Where a setting comes from, in Kafka's answer."""
TAKES_NOTHING = {"max.message.bytes": "1"}
"""Makes a topic refuse every batch. (`min.insync.replicas` above the replication would not: Kafka caps it.)"""


async def configure(brokers: str, topic: str, changes: dict[str, str]) -> dict[str, str]:
    """Change settings of a topic (full name); those that it had before, to be handed in again."""
    resource = (ConfigResourceType.TOPIC, topic)
    async with admin_client(as_cluster(brokers)) as admin:
        (answer,) = await admin.describe_configs([ConfigResource(*resource)])
        ((_, _, _, _, entries),) = answer.resources
        before = {entry[0]: entry[1] for entry in entries if entry[3] == _SET_ON_THE_TOPIC}
        # What is not named goes back to its default.
        await admin.alter_configs([ConfigResource(*resource, {**before, **changes})])
    return before


async def kill_leader(cluster: ApacheKafka, topic: str, partition: int) -> int:
    """Kill the broker that leads a partition while answers of it are waited for; which one that was."""
    async with admin_client(as_cluster(cluster.address)) as admin:
        node = await _leader(admin, topic, partition)
    # It stands still first, so that what is sent to it meanwhile is under way for certain when it dies.
    cluster.signal_node(node, signal.SIGSTOP)
    await asyncio.sleep(IN_FLIGHT_S)
    await asyncio.to_thread(cluster.stop_node, node, 0)
    return node


async def kill_coordinator(cluster: ApacheKafka, group: str) -> int:
    """Kill the broker that coordinates a group; which one that was."""
    async with admin_client(as_cluster(cluster.address)) as admin:
        node = await _coordinator(admin, group)
    await asyncio.to_thread(cluster.stop_node, node, 0)
    return node


async def until_replicated(cluster: ApacheKafka, prefix: str) -> None:
    """Wait until every partition of these topics has all its copies in sync."""
    async with asyncio.timeout(LIMIT_S), admin_client(as_cluster(cluster.address)) as admin:
        while await _n_behind(admin, prefix):  # noqa: ASYNC110 (brokers send no events)
            await asyncio.sleep(RETRY_S)


async def _leader(admin: AIOKafkaAdminClient, topic: str, partition: int) -> int:
    async with asyncio.timeout(LIMIT_S):
        while True:
            (described,) = await admin.describe_topics([topic])
            leaders = {one["partition"]: one["leader"] for one in described["partitions"]}
            if leaders.get(partition, -1) >= 0:
                return leaders[partition]
            await asyncio.sleep(RETRY_S)


async def _coordinator(admin: AIOKafkaAdminClient, group: str) -> int:
    async with asyncio.timeout(LIMIT_S):
        while True:
            with contextlib.suppress(KafkaError):  # while the group moves there is none
                return await admin.find_coordinator(group)
            await asyncio.sleep(RETRY_S)


async def _n_behind(admin: AIOKafkaAdminClient, prefix: str) -> int:
    try:
        topics: list[dict[str, Any]] = await admin.describe_topics(None)
    except KafkaError:
        return 1
    partitions = [one for topic in topics if topic["topic"].startswith(prefix) for one in topic["partitions"]]
    return sum(len(one["isr"]) < len(one["replicas"]) for one in partitions)
