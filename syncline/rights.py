"""Asks a broker what this client may do, so that a right which is missing is named before anything is tried.

aiokafka does not ask for `authorized operations`; the two requests are here, in the newest form that is not `flexible`.
"""

# pyright: reportUnknownVariableType=false, reportIncompatibleMethodOverride=false, reportAssignmentType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from syncline.acls import Need, commands
from syncline.cluster import Cluster
from syncline.errors import BrokerError
from syncline.routines import steady

_BITS = {"Read": 3, "Write": 4, "Create": 5, "Alter": 7, "Describe": 8, "DescribeConfigs": 10}
"""Kafka's codes of operations, which are the bits of an answer."""
_FORBIDDEN = 29


class _Metadata8Response(Response):
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8")))),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("name", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16), ("partition", Int32), ("leader", Int32), ("leader_epoch", Int32),
                        ("replicas", Array(Int32)), ("isr", Array(Int32)), ("offline", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )  # fmt: skip


class _Metadata8(RequestStruct):
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _Metadata8Response
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _TopicRights(Request[_Metadata8]):
    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[_Metadata8]) -> _Metadata8:
        return request_struct_class(self._topics, False, False, True)


async def missing_rights(cluster: Cluster, needs: Iterable[Need], prefix: str, group: str) -> list[Need]:
    """What of `needs` this client may not do; a topic that does not exist is not missed.

    Nothing where the client has no name (no TLS, no password), or where the broker is too old to be asked. Raises
    `KafkaError`.
    """
    if cluster.security.security_protocol == "PLAINTEXT":
        return []
    wanted = list(needs)
    client: Any = steady(AIOKafkaClient(**cluster.client_options()))
    try:
        await client.bootstrap()
        names = sorted({prefix + topic for need in wanted for topic in need.topics})
        forbidden = await _forbidden_topics(client, names)
        missing = [
            need._replace(topics=topics)
            for need in wanted
            if (topics := tuple(topic for topic in need.topics if need.operation in forbidden.get(prefix + topic, ())))
        ]
        groups = [need for need in wanted if need.resource == "group"]
        return missing + (groups if groups and not await _may_see_group(client, group) else [])
    finally:
        await client.close()


async def _forbidden_topics(client: Any, names: list[str]) -> dict[str, set[str]]:
    if not names:
        return {}
    try:
        answer = await client.send(client.get_random_node(), _TopicRights(names))
    except NotImplementedError:  # a broker from before Kafka 2.3
        return {}
    return {
        name: {operation for operation, bit in _BITS.items() if code == _FORBIDDEN or not allowed >> bit & 1}
        for code, name, _, _, allowed in answer.topics
        if code in (0, _FORBIDDEN)
    }


async def _may_see_group(client: Any, group: str) -> bool:
    try:
        await client.coordinator_lookup(CoordinationType.GROUP, group)
    except GroupAuthorizationFailedError:
        return False
    except KafkaError:  # not now; who reads will see
        return True
    return True


def rights_error(
    cluster: Cluster, missing: Sequence[Need], prefix: str, group: str = "", transactional_id: str = ""
) -> BrokerError:
    """One line that names what is missing, and allows it."""
    user = cluster.security.sasl_username
    named = {"group": group, "transactional-id": transactional_id}
    lacks = [
        f"{need.operation} on {need.resource} "
        + (named.get(need.resource) or ", ".join(prefix + topic for topic in need.topics))
        for need in missing
    ]
    lines = commands(
        missing, user=user or "NAME", prefix=prefix, group=group, transactional_id=transactional_id,
        brokers=cluster.brokers,
    )  # fmt: skip
    who = f"user {user!r}" if user else f"the user of ssl_certfile {cluster.security.ssl_certfile}"
    return BrokerError(f"broker {cluster}: {who} lacks {', '.join(lacks)}; allow it with: {' && '.join(lines)}")
