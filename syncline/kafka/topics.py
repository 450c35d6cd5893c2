"""Creates Syncline's topics, and compares a broker's topics with the plan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from msgspec import Meta

from syncline.errors import BrokerTimeoutError
from syncline.kafka.broker_errors import of_code
from syncline.kafka.client import quiet, start_error
from syncline.kafka.cluster import Cluster, as_cluster
from syncline.settings.definition import check_ranges
from syncline.wire.contract import ALL_TOPICS, DEADLETTER, DECISIONS, DEFAULT_PREFIX, MEDIA_TOPICS, RESULT_TOPICS

DAY_MS = 24 * 60 * 60 * 1000
DECISIONS_EXTRA_MS = 7 * DAY_MS
"""Decisions are kept this much longer than their media: a worker may come back late."""
DEADLETTER_EXTRA_BYTES = 64 * 1024
"""Room in a dead letter beside the original record, for the reason and the origin."""
MAX_ENTRY_BYTES = 700_000
"""Largest record of the decision log, with the longest names (streams/decisions/proposer.py)."""
DEFAULT_RETENTION_MS = 7 * DAY_MS
DEFAULT_MAX_MESSAGE_BYTES = 1024 * 1024 + 12
"""Kafka's own default, so that topics made by hand pass the check too."""
VISIBLE_TIMEOUT_S = 30.0
_ALREADY_EXISTS = 36


class TopicPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the topics must be like. Times in ms; sizes in bytes of a whole record."""

    n_partitions: Annotated[int, Meta(ge=1)] = 4
    replication: Annotated[int, Meta(ge=1)] = 1
    prefix: str = DEFAULT_PREFIX
    retention_ms: Annotated[int, Meta(ge=1)] = DEFAULT_RETENTION_MS
    max_message_bytes: Annotated[int, Meta(ge=1_024)] = DEFAULT_MAX_MESSAGE_BYTES

    def __post_init__(self) -> None:
        check_ranges(self)

    def names(self) -> tuple[str, ...]:
        """Return all topics with their prefix, in the contract's order."""
        return tuple(self.prefix + topic for topic in ALL_TOPICS)

    def config(self, topic: str) -> dict[str, str]:
        """Return a topic's settings by Kafka's names; the topic is named without prefix."""
        wanted = {
            "cleanup.policy": "delete",
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(min(2, self.replication)),
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }
        if topic == DECISIONS:
            wanted["retention.ms"] = str(self.retention_ms + DECISIONS_EXTRA_MS)
            wanted["retention.bytes"] = "-1"
            wanted["max.message.bytes"] = str(max(self.max_message_bytes, MAX_ENTRY_BYTES))
        if topic == DEADLETTER:
            wanted["max.message.bytes"] = str(self.max_message_bytes + DEADLETTER_EXTRA_BYTES)
        return wanted


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic on the broker. `config` lacks settings that the broker does not tell."""

    n_partitions: int
    replication: int
    config: dict[str, str]


@asynccontextmanager
async def admin_client(cluster: Cluster) -> AsyncGenerator[Any]:
    """Connect an admin client; Kafka's errors inside become BrokerError."""
    client: Any = AIOKafkaAdminClient(client_id="syncline-topics", **cluster.client_options())
    try:
        with quiet():
            await client.start()
            yield client
    except KafkaError as error:
        raise await start_error(cluster, error) from error
    finally:
        await client.close()


async def create_topics(brokers: str | Cluster, plan: TopicPlan) -> list[str]:
    """Create missing topics, wait until all are visible, and return the names of the new ones.

    Existing topics stay as they are; `check_topics` compares them. Raises BrokerError.
    """
    async with admin_client(as_cluster(brokers)) as admin:
        existing = {topic["topic"] for topic in await _list_topics(admin)}
        missing = [topic for topic in ALL_TOPICS if plan.prefix + topic not in existing]
        created = await _create(admin, plan, missing)
        await until_visible(admin, plan.names())
        return created


async def _create(admin: Any, plan: TopicPlan, topics: list[str]) -> list[str]:
    if not topics:
        return []
    new = [
        NewTopic(plan.prefix + topic, plan.n_partitions, plan.replication, topic_configs=plan.config(topic))
        for topic in topics
    ]
    response = await admin.create_topics(new)
    created: list[str] = []
    for name, code, message in response.topic_errors:
        if code == 0:
            created.append(name)
        elif code != _ALREADY_EXISTS:  # another client may create them at the same time
            raise of_code(code, f"broker cannot create topic {name}: {message or f'Kafka error {code}'}")
    return created


async def until_visible(admin: Any, names: Iterable[str], n_partitions: int = 1) -> None:
    """Wait until every node knows these topics, with at least `n_partitions` partitions and a leader of each.

    Raises `BrokerTimeoutError` after `VISIBLE_TIMEOUT_S`.
    """
    # Kafka answers before all its nodes know: a client might ask one that knows no topic or no leader.
    deadline_s = asyncio.get_running_loop().time() + VISIBLE_TIMEOUT_S
    while missing := await _not_everywhere(admin, names, n_partitions):
        if asyncio.get_running_loop().time() > deadline_s:
            raise BrokerTimeoutError(f"topics have no leader after {VISIBLE_TIMEOUT_S:.0f} s: {', '.join(missing)}")
        await asyncio.sleep(0.05)


async def _not_everywhere(admin: Any, names: Iterable[str], n_partitions: int) -> list[str]:
    """Return the topics that some node does not know yet, with all partitions and their leaders."""
    nodes = [broker["node_id"] for broker in (await admin.describe_cluster())["brokers"]]
    known = [
        {topic["topic"] for topic in await _list_topics(admin, node) if _has_leaders(topic, n_partitions)}
        for node in nodes
    ]
    return [name for name in names if not all(name in topics for topics in known)]


def _has_leaders(topic: dict[str, Any], n_partitions: int) -> bool:
    partitions = topic["partitions"]
    return len(partitions) >= n_partitions and all(partition["leader"] >= 0 for partition in partitions)


async def _list_topics(admin: Any, node: int | None = None) -> list[dict[str, Any]]:
    """List the topics that a node knows; None: any node."""
    # Not by name: Tansu creates topics that it is asked for, and so may Kafka.
    answer = await admin._send_request(MetadataRequest(None), node)  # noqa: SLF001 (its own question goes to any node)
    topics: list[dict[str, Any]] = answer.to_object()["topics"]
    return [topic for topic in topics if topic["error_code"] == 0]


async def read_topics(
    brokers: str | Cluster, names: Iterable[str], *, with_config: bool = True
) -> dict[str, TopicState]:
    """Read the state of topics (full names); missing ones are left out.

    with_config: read their settings too, which needs the right DescribeConfigs.
    """
    wanted = set(names)
    async with admin_client(as_cluster(brokers)) as admin:
        found = [topic for topic in await _list_topics(admin) if topic["topic"] in wanted]
        configs = await _read_configs(admin, [topic["topic"] for topic in found]) if with_config else {}
    return {
        topic["topic"]: TopicState(
            n_partitions=len(topic["partitions"]),
            replication=min((len(partition["replicas"]) for partition in topic["partitions"]), default=0),
            config=configs.get(topic["topic"], {}),
        )
        for topic in found
    }


async def read_limit(cluster: Cluster, name: str) -> int | None:
    """Return the largest batch, in bytes, that a topic (full name) takes; None if the broker does not tell.

    Raises `BrokerError` if no broker answers.
    """
    async with admin_client(cluster) as admin:
        responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        found = [{entry[0]: entry[1] for entry in entries} for r in responses for *_, entries in r.resources]
    limit = str(found[0].get("max.message.bytes")) if found else ""
    return int(limit) if limit.isdigit() else None


async def _read_configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for code, message, _, name, entries in response.resources:
            if code != 0:
                raise of_code(code, f"broker does not tell the settings of topic {name}: {message or f'error {code}'}")
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


RETENTION_MS = "retention.ms"
MAX_BYTES = "max.message.bytes"
_FOREVER = -1


@dataclass(frozen=True, slots=True)
class Difference:
    """A wrong setting of a topic (full name)."""

    topic: str
    setting: str
    got: str
    takes: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.got}, takes {self.takes}"


@dataclass(slots=True)
class TopicReport:
    """The result of a check. `untold`: settings that the broker does not tell, which cannot be checked."""

    n_partitions: int | None = None
    differences: list[Difference] = field(default_factory=list[Difference])
    untold: list[str] = field(default_factory=list[str])


async def check_topics(
    brokers: str | Cluster,
    prefix: str = DEFAULT_PREFIX,
    *,
    n_partitions: int | None = None,
    replication: int | None = None,
) -> TopicReport:
    """Read and compare all topics. Without `n_partitions` their numbers of partitions need only be equal.

    Raises BrokerError if the broker cannot be asked.
    """
    states = await read_topics(brokers, [prefix + topic for topic in ALL_TOPICS])
    found = {name.removeprefix(prefix): state for name, state in states.items()}
    return compare(found, prefix, n_partitions=n_partitions, replication=replication)


def compare(
    found: dict[str, TopicState], prefix: str, *, n_partitions: int | None = None, replication: int | None = None
) -> TopicReport:
    """Compare topics (named without prefix) with what they must be like. Pure."""
    counts = [found[topic].n_partitions for topic in ALL_TOPICS if topic in found]
    wanted = n_partitions if n_partitions is not None else next(iter(counts), None)
    report = TopicReport(n_partitions=counts[0] if counts and len(set(counts)) == 1 else None)
    untold: set[str] = set()
    for topic in ALL_TOPICS:
        state = found.get(topic)
        if state is None:
            report.differences.append(Difference(prefix + topic, "topic", "missing", "one with this name"))
            continue
        rows = [*_layout(state, wanted, replication), *_settings(topic, state, found, untold)]
        report.differences += [Difference(prefix + topic, *row) for row in rows]
    report.untold = sorted(untold)
    return report


_Row = tuple[str, str, str]


def _layout(state: TopicState, n_partitions: int | None, replication: int | None) -> Iterator[_Row]:
    if n_partitions is not None and state.n_partitions != n_partitions:
        yield "partitions", str(state.n_partitions), f"{n_partitions}, as all other topics of the prefix"
    if replication is not None and state.replication != replication:
        yield "replication", str(state.replication), str(replication)


def _settings(topic: str, state: TopicState, found: dict[str, TopicState], untold: set[str]) -> Iterator[_Row]:
    exact = {"cleanup.policy": "delete"}
    least = {"min.insync.replicas": min(2, state.replication)}
    if topic in MEDIA_TOPICS:
        exact["message.timestamp.type"] = "LogAppendTime"
    if topic == DECISIONS:
        exact["retention.bytes"] = str(_FOREVER)
        least["min.insync.replicas"] = max(_numbers(found, RESULT_TOPICS, "min.insync.replicas"), default=1)
        least[RETENTION_MS] = _longest(_numbers(found, MEDIA_TOPICS, RETENTION_MS))
        least[MAX_BYTES] = MAX_ENTRY_BYTES
    if topic == DEADLETTER:
        least[MAX_BYTES] = max(_numbers(found, MEDIA_TOPICS, MAX_BYTES), default=0) + DEADLETTER_EXTRA_BYTES
    for setting, takes in exact.items():
        got = _told(state, setting, untold)
        if got is not None and got != takes:
            yield setting, got, takes
    for setting, number in least.items():
        got = _told(state, setting, untold)
        if got is not None and not _reaches(setting, int(got), number):
            yield setting, got, f"{number} or more" if number != _FOREVER else f"{_FOREVER}, as media.*"


def _told(state: TopicState, setting: str, untold: set[str]) -> str | None:
    if setting not in state.config:
        untold.add(setting)
    return state.config.get(setting)


def _numbers(found: dict[str, TopicState], topics: tuple[str, ...], setting: str) -> list[int]:
    states = [found[topic] for topic in topics if topic in found]
    return [int(state.config[setting]) for state in states if setting in state.config]


def _longest(media_ms: list[int]) -> int:
    if _FOREVER in media_ms:
        return _FOREVER
    return max(media_ms, default=0) + DECISIONS_EXTRA_MS


def _reaches(setting: str, got: int, least: int) -> bool:
    if setting == RETENTION_MS and _FOREVER in (got, least):
        return got == _FOREVER
    return got >= least
