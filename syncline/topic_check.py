"""Compares the topics of a broker with what Syncline needs: each difference by name, what was got, what is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from syncline.cluster import Cluster
from syncline.contract import ALL_TOPICS, DEADLETTER, DECISIONS, DEFAULT_PREFIX, MEDIA_TOPICS, RESULT_TOPICS
from syncline.topics import DEADLETTER_EXTRA_BYTES, DECISIONS_EXTRA_MS, MAX_ENTRY_BYTES, TopicState, read_topics

RETENTION_MS = "retention.ms"
MAX_BYTES = "max.message.bytes"
_FOREVER = -1


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting of one topic (full name) that is not as it must be."""

    topic: str
    setting: str
    got: str
    takes: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.got}, takes {self.takes}"


@dataclass(slots=True)
class TopicReport:
    """What a check found. `untold`: settings that the broker does not tell, so that nobody can check them."""

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
    """Read all topics and compare them. Without `n_partitions` they need only be equal to each other.

    Raises BrokerError when the broker cannot be asked.
    """
    states = await read_topics(brokers, [prefix + topic for topic in ALL_TOPICS])
    found = {name.removeprefix(prefix): state for name, state in states.items()}
    return compare(found, prefix, n_partitions=n_partitions, replication=replication)


def compare(
    found: dict[str, TopicState], prefix: str, *, n_partitions: int | None = None, replication: int | None = None
) -> TopicReport:
    """Compare topics (named without prefix) with what they must be like; pure."""
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
