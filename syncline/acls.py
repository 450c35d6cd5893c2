"""What Kafka must allow to whom, in one table: the doc, the command and the worker's own check come from here.

kafka-acls.sh calls an operation `Read`, the resource a topic, a group or the cluster. `Read` and `Write` bring
`Describe` with them. A producer may be idempotent with `Write` on any topic (Kafka 3.0; before it needed a right of its
own on the cluster).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Literal, NamedTuple

from syncline.contract import (
    ALL_TOPICS,
    DECISIONS,
    DEFAULT_BROKERS,
    DEFAULT_PREFIX,
    MEDIA_TOPICS,
    RESULT_TOPICS,
)

Role = Literal["worker", "producer", "consumer", "operator"]
Operation = Literal["Read", "Write", "Create", "Alter", "Describe", "DescribeConfigs"]
Resource = Literal["topic", "group", "transactional-id"]


class Need(NamedTuple):
    """One operation on some topics (named without prefix), on a group or a transactional id (no names), and why."""

    role: Role
    operation: Operation
    resource: Resource
    topics: tuple[str, ...]
    why: str


NEEDS = (
    Need("worker", "Read", "topic", (*MEDIA_TOPICS, DECISIONS), "media, and the decisions as they stand in the log"),
    Need("worker", "Read", "group", (), "its share of the streams, and its offsets"),
    Need(
        "worker", "Write", "topic", (DECISIONS, *RESULT_TOPICS), "decisions, results, dead letters, what was not fused"
    ),
    Need("producer", "Write", "topic", MEDIA_TOPICS, "media"),
    Need("producer", "Write", "transactional-id", (), "only to send in transactions"),
    Need("consumer", "Read", "topic", RESULT_TOPICS, "results; leave out what is not for this consumer"),
    Need("consumer", "Read", "group", (), "only with a group of its own"),
    Need("operator", "Create", "topic", ALL_TOPICS, "`topics create`"),
    Need("operator", "Alter", "topic", ALL_TOPICS, "`topics grow`"),
    Need("operator", "DescribeConfigs", "topic", ALL_TOPICS, "`topics create` and `check`"),
    Need("operator", "Read", "topic", ALL_TOPICS, "`verify`, `explain`, `deadletter list` and `show`"),
    Need("operator", "Describe", "group", (), "`verify`, `explain` and `topics grow`: how far the workers have come"),
    Need("operator", "Write", "topic", MEDIA_TOPICS, "`deadletter retry`"),
)
"""The group is the workers', for a consumer its own, which must be another one."""


def needs_of(role: Role) -> tuple[Need, ...]:
    """What one role needs."""
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
    """Lines of kafka-acls.sh that allow it to `user`, one for each operation.

    On a group, or a transactional id, only where one is named.
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
