"""The rights that each role needs in Kafka, for docs/security.md, `topics acls` and the worker's check.

Names are those of kafka-acls.sh. `Read` and `Write` include `Describe`. Since Kafka 3.0 `Write` on any topic allows an
idempotent producer; before, that needed its own right on the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from syncline.errors import MissingRightError
from syncline.kafka.cluster import Cluster
from syncline.kafka.routines import steady
from syncline.wire.contract import ALL_TOPICS, DECISIONS, DEFAULT_BROKERS, DEFAULT_PREFIX, MEDIA_TOPICS, RESULT_TOPICS

Role = Literal["worker", "producer", "consumer", "operator"]
Operation = Literal["Read", "Write", "Create", "Alter", "Describe", "DescribeConfigs"]
Resource = Literal["topic", "group", "transactional-id"]


class Need(NamedTuple):
    """One operation on topics (named without prefix), on the group or on the transactional id, and why."""

    role: Role
    operation: Operation
    resource: Resource
    topics: tuple[str, ...]
    why: str


NEEDS = (
    Need("worker", "Read", "topic", (*MEDIA_TOPICS, DECISIONS), "media, and the decision log"),
    Need("worker", "Read", "group", (), "its share of the streams, and its offsets"),
    Need("worker", "Write", "topic", (DECISIONS, *RESULT_TOPICS), "decisions, results, dead letters, unfused records"),
    Need("producer", "Write", "topic", MEDIA_TOPICS, "media"),
    Need("producer", "Write", "transactional-id", (), "only to send in transactions"),
    Need("consumer", "Read", "topic", RESULT_TOPICS, "results; leave out topics that it does not need"),
    Need("consumer", "Read", "group", (), "only if it uses a group"),
    Need("operator", "Create", "topic", ALL_TOPICS, "`topics create`"),
    Need("operator", "Alter", "topic", ALL_TOPICS, "`topics grow`"),
    Need("operator", "DescribeConfigs", "topic", ALL_TOPICS, "`topics create` and `check`"),
    Need("operator", "Read", "topic", ALL_TOPICS, "`verify`, `explain`, `deadletter list` and `show`"),
    Need("operator", "Describe", "group", (), "`verify`, `explain` and `topics grow`: the workers' committed offsets"),
    Need("operator", "Write", "topic", MEDIA_TOPICS, "`deadletter retry`"),
)
"""A worker's group is the workers'; a consumer has its own."""


def needs_of(role: Role) -> tuple[Need, ...]:
    """Return the rights of one role."""
    return tuple(need for need in NEEDS if need.role == role)


def commands(
    needs: Iterable[Need],
    *,
    user: str,
    prefix: str = DEFAULT_PREFIX,
    group: str = "",
    transactional_id: str = "",
    brokers: str = DEFAULT_BROKERS,
) -> list[str]:
    """Return kafka-acls.sh lines that grant the rights to `user`, one for each operation.

    Rights on a group or a transactional id are left out if none is named.
    """
    named = {"group": group, "transactional-id": transactional_id}
    lines: list[str] = []
    for operation, alike in groupby(sorted(needs, key=lambda need: need.operation), key=lambda need: need.operation):
        resources = [text for need in alike for text in _resources(need, prefix, named)]
        if resources:
            lines.append(
                f"kafka-acls.sh --bootstrap-server {brokers} --command-config admin.properties "
                f"--add --allow-principal User:{user} --operation {operation} {' '.join(resources)}"
            )
    return lines


def _resources(need: Need, prefix: str, named: Mapping[str, str]) -> list[str]:
    if need.resource != "topic":
        name = named[need.resource]
        return [f"--{need.resource} {name}"] if name else []
    return [f"--topic {prefix}{topic}" for topic in need.topics]


# pyright: reportUnknownVariableType=false, reportIncompatibleMethodOverride=false, reportAssignmentType=false


_BITS = {"Read": 3, "Write": 4, "Create": 5, "Alter": 7, "Describe": 8, "DescribeConfigs": 10}
"""Kafka's operation codes: bit numbers in `authorized_operations`."""
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
    """Return those of `needs` that the broker denies this client; topics that do not exist are skipped.

    Empty for an anonymous client (no TLS, no password) and for a broker too old to ask. Raises `KafkaError`.
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
    except KafkaError:  # a temporary fault; joining the group will show
        return True
    return True


def rights_error(
    cluster: Cluster, missing: Sequence[Need], prefix: str, group: str = "", transactional_id: str = ""
) -> MissingRightError:
    """Make the error: one line with the missing rights and the command that grants them."""
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
    return MissingRightError(f"broker {cluster}: {who} lacks {', '.join(lacks)}; allow it with: {' && '.join(lines)}")
