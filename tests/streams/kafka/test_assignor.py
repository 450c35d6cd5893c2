"""streams/kafka/assignor.py: groups as Kafka's leader sees them, without Kafka; old workers among the new."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocol

from streams.kafka.app import SynclineApp
from streams.kafka.assignor import BalancedAssignor
from streams.kafka.faust import assignor as faust_assignor
from streams.settings import WorkerSettings
from syncline.kafka.cluster import Cluster
from syncline.wire.contract import MEDIA_TOPICS
from tests.streams.kafka.test_app import Nobody

MAX_PARTITIONS, MAX_WORKERS = 16, 9
TOPICS = tuple("p." + topic for topic in MEDIA_TOPICS)


class Metadata:
    """What the leader knows of the topics."""

    def __init__(self, n_partitions: Mapping[str, int]) -> None:
        self._n_partitions = n_partitions

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._n_partitions[topic])) if topic in self._n_partitions else None


class Group:
    """Members, each with its own assignor; what they say to each other goes over the wire's bytes."""

    def __init__(self, n_partitions: int | Mapping[str, int]) -> None:
        of_each = dict.fromkeys(TOPICS, n_partitions) if isinstance(n_partitions, int) else n_partitions
        self._cluster = Metadata(of_each)
        self.members: dict[str, Any] = {}
        self._n_born = 0

    def join(self, kind: type[Any], app: SynclineApp) -> None:
        self._n_born += 1
        self.members[f"faust-{self._n_born}"] = kind(app, replicas=1)

    def rebalance(self, leader: str) -> dict[str, dict[str, list[int]]]:
        """Topics and partitions by member, as it is told of them."""
        said = {
            name: ConsumerProtocol.METADATA.decode(member.metadata(set(TOPICS)).encode())
            for name, member in self.members.items()
        }
        answers = self.members[leader].assign(self._cluster, said)
        told: dict[str, dict[str, list[int]]] = {}
        for name, member in self.members.items():
            answer = ConsumerProtocol.ASSIGNMENT.decode(answers[name].encode())
            member.on_assignment(answer)
            told[name] = {topic: sorted(numbers) for topic, numbers in answer.assignment}
        return told


@pytest.fixture
async def app() -> SynclineApp:
    settings = WorkerSettings(group="g", topic_prefix="p.")
    return SynclineApp(settings, Cluster.of(settings.brokers), lambda batch: None, Nobody())


def numbers_of(told: Mapping[str, Mapping[str, list[int]]]) -> dict[str, list[int]]:
    """Partition numbers by member, the same in all its topics."""
    assert all(of_one.keys() == set(TOPICS) for of_one in told.values()), told
    assert all(len({tuple(numbers) for numbers in of_one.values()}) == 1 for of_one in told.values()), told
    return {member: of_one[TOPICS[0]] for member, of_one in told.items()}


def assert_even(told: Mapping[str, Mapping[str, list[int]]], n_partitions: int) -> None:
    numbers = numbers_of(told).values()
    assert sorted(number for of_one in numbers for number in of_one) == list(range(n_partitions))
    assert max(map(len, numbers)) - min(map(len, numbers)) <= 1, told


def live(
    group: Group, rng: random.Random, kinds: Iterable[type[Any]], app: SynclineApp
) -> dict[str, dict[str, list[int]]]:
    """One more step of a group's life, led by anybody."""
    if not group.members or (len(group.members) < MAX_WORKERS and rng.random() < 0.55):
        group.join(rng.choice(list(kinds)), app)
    elif len(group.members) > 1:
        del group.members[rng.choice(list(group.members))]
    return group.rebalance(rng.choice(list(group.members)))


@pytest.mark.parametrize("n_partitions", range(1, MAX_PARTITIONS + 1))
async def test_each_worker_has_its_share_of_whole_partition_numbers(app: SynclineApp, n_partitions: int) -> None:
    """Workers join and leave one by one: equal numbers of all topics stay together, within one of each other."""
    group, rng = Group(n_partitions), random.Random(n_partitions)
    for _ in range(40):
        assert_even(live(group, rng, [app.conf.PartitionAssignor], app), n_partitions)


async def test_a_third_worker_on_four_partitions_has_work(app: SynclineApp) -> None:
    """Which is what `2, 2, 0` was for as long as they lived."""
    group = Group(4)
    for n_workers in (1, 2, 3):
        group.join(app.conf.PartitionAssignor, app)
        told = group.rebalance("faust-1")
        assert sorted(map(len, numbers_of(told).values()), reverse=True) == [[4], [2, 2], [2, 1, 1]][n_workers - 1]


@pytest.mark.parametrize("n_partitions", [4, 8, 12])
async def test_old_workers_and_new_ones_share_a_group(app: SynclineApp, n_partitions: int) -> None:
    """Whoever leads, numbers stay whole and each has one worker; when the last old one is gone, all are even."""
    group, rng = Group(n_partitions), random.Random(n_partitions)
    kinds = (faust_assignor.PartitionAssignor, BalancedAssignor)
    for _ in range(60):
        numbers = numbers_of(live(group, rng, kinds, app))
        assert sorted(number for of_one in numbers.values() for number in of_one) == list(range(n_partitions))
    for name in [name for name, member in group.members.items() if not isinstance(member, BalancedAssignor)]:
        del group.members[name]
        group.join(BalancedAssignor, app)
    assert_even(group.rebalance(next(iter(group.members))), n_partitions)


async def test_a_new_leader_is_even_to_old_followers(app: SynclineApp) -> None:
    """They take what it says, standbys left out."""
    group = Group(4)
    group.join(BalancedAssignor, app)
    for _ in range(2):
        group.join(faust_assignor.PartitionAssignor, app)
        assert_even(group.rebalance("faust-1"), 4)


async def test_topics_of_unequal_counts_stay_together_as_far_as_they_go(app: SynclineApp) -> None:
    """As while an operator adds partitions to one topic after the other: nobody has a number without its siblings."""
    counts = dict(zip(TOPICS, (8, 4, 4), strict=True))
    group = Group(counts)
    for _ in range(3):
        group.join(BalancedAssignor, app)
        for of_one in group.rebalance("faust-1").values():
            assert of_one[TOPICS[1]] == of_one[TOPICS[2]] == [p for p in of_one[TOPICS[0]] if p < 4]


@pytest.mark.parametrize(
    "name", ["_perform_assignment", "_get_client_metadata", "_update_member_urls", "_protocol_assignments"]
)
def test_the_private_parts_of_fausts_assignor_are_there(name: str) -> None:
    """What is overridden or relied on exists, and takes what our own version takes."""
    theirs, ours = (getattr(kind, name) for kind in (faust_assignor.PartitionAssignor, BalancedAssignor))
    assert len(inspect.signature(theirs).parameters) == len(inspect.signature(ours).parameters)
