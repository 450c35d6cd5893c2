"""syncline/kafka/routines.py: a group goes on when its leader leaves in the midst of a rebalance, on any broker.

The embedded broker keeps such a leader for ever, and lets nobody be assigned anything by another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaConnectionError, RebalanceInProgressError, UnknownMemberIdError
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

from syncline.kafka.client import start_consumer, stop_consumer
from syncline.kafka.cluster import Cluster
from syncline.kafka.routines import outlive_leaders
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics
from tests.support.worker_process import SESSION_TIMEOUT_MS

LIMIT_S = 45.0
N_GROUPS = 8
N_PARTITIONS = 4
SUBSCRIPTION = b"\0\0" + b"\0\0\0\0" + b"\0\0\0\0"


async def begin(broker: TestBroker, topic: str, group: str) -> Any:
    """A consumer in a group, once it has been assigned something."""
    async with asyncio.timeout(LIMIT_S):
        return await start_consumer(
            Cluster.of(broker.address), topic, group_id=group, enable_auto_commit=False, heartbeat_interval_ms=300,
            session_timeout_ms=SESSION_TIMEOUT_MS[broker.kind], rebalance_timeout_ms=SESSION_TIMEOUT_MS[broker.kind],
        )  # fmt: skip


async def until_shared(consumers: Collection[Any]) -> None:
    """Wait until each partition is with one of the consumers, and each of them has one."""
    async with asyncio.timeout(LIMIT_S):
        while not is_shared(consumers):  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.05)


def is_shared(consumers: Collection[Any]) -> bool:
    shares = [consumer.assignment() for consumer in consumers]
    return all(shares) and sum(map(len, shares)) == len(set().union(*shares)) == N_PARTITIONS


async def ends(consumers: Collection[Any]) -> None:
    await asyncio.gather(*(stop_consumer(consumer, LIMIT_S) for consumer in consumers))


@pytest.mark.timeout(300)
async def test_a_group_goes_on_after_all_its_members_left_at_once(broker: TestBroker, topic_prefix: str) -> None:
    """Those that are started afterwards are assigned all partitions."""
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    topic = topic_prefix + "unfused"

    async def leave_and_come_back(group: str) -> None:
        leaving = []
        for _ in range(2):  # one after the other: aiokafka leaves no group of the generation 0
            leaving.append(await begin(broker, topic, group))
            await until_shared(leaving)
        await ends(leaving)
        coming = await asyncio.gather(*(begin(broker, topic, group) for _ in range(2)))
        try:
            await until_shared(coming)
        finally:
            await ends(coming)

    groups = [f"{topic_prefix}{number}" for number in range(N_GROUPS)]
    results = await asyncio.gather(*map(leave_and_come_back, groups), return_exceptions=True)
    assert [result for result in results if result is not None] == []


@asynccontextmanager
async def connected(broker: TestBroker) -> AsyncIterator[Any]:
    client = AIOKafkaClient(bootstrap_servers=broker.address)
    await client.bootstrap()
    try:
        yield client
    finally:
        await client.close()


async def ask(client: Any, request: Any) -> Any:
    (node,) = client.cluster.brokers()
    return await client.send(node.nodeId, request)


async def until_coordinated(client: Any, group: str) -> None:
    """Wait until the broker coordinates groups: a new Apache Kafka makes its topic of offsets first."""
    async with asyncio.timeout(LIMIT_S):
        while not await is_coordinated(client, group):  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.1)


async def is_coordinated(client: Any, group: str) -> bool:
    if (await ask(client, FindCoordinatorRequest(group, CoordinationType.GROUP))).error_code:
        return False
    return (await ask(client, HeartbeatRequest(group, 0, "nobody"))).error_code == UnknownMemberIdError.errno


def join(broker: TestBroker, group: str, member_id: str) -> JoinGroupRequest:
    session_ms = SESSION_TIMEOUT_MS[broker.kind]
    return JoinGroupRequest(group, session_ms, session_ms, member_id, None, "consumer", [("roundrobin", SUBSCRIPTION)])  # pyright: ignore[reportArgumentType]  (aiokafka's own default is None)


async def test_a_leader_that_left_while_the_group_came_together_is_not_waited_for(
    own_broker: TestBroker, topic_prefix: str
) -> None:
    broker, group = own_broker, topic_prefix + "g"
    await make_topics(broker.address, topic_prefix, N_PARTITIONS)
    async with connected(broker) as client:
        await until_coordinated(client, group)
        begun = await ask(client, join(broker, group, ""))
        joined = await ask(client, join(broker, group, begun.member_id))
        assert joined.leader_id == joined.member_id
        # Without having shared out anything.
        assert (await ask(client, LeaveGroupRequest(group, joined.member_id))).error_code == 0
    consumer = await begin(broker, topic_prefix + "unfused", group)
    try:
        await until_shared([consumer])
    finally:
        await ends([consumer])


class Coordinator:
    """Stands for a group's coordinator: leads us by `leader`, and describes the group as it is told to."""

    def __init__(self, state: str, members: Collection[str], leader: str = "L") -> None:
        self.state, self.members, self.leader = state, members, leader
        self.heard: list[tuple[str, str]] = []
        self.describing: Exception | None = None
        self.syncing = 0

    async def send(self, node_id: int, request: Any, *, group: ConnectionGroup) -> Any:
        assert (node_id, group) == (7, ConnectionGroup.COORDINATION)
        self.heard.append((type(request).__name__.removesuffix("Request"), getattr(request, "_member_id", "")))
        if isinstance(request, DescribeGroupsRequest):
            if self.describing is not None:
                raise self.describing
            members = [(member, "", "", b"", b"") for member in self.members]
            return SimpleNamespace(groups=[(0, "g", self.state, "consumer", "", members)])
        if isinstance(request, JoinGroupRequest):
            member = request._member_id
            members = [(name, None, b"") for name in ("L", "us")] if member == self.leader else []
            return SimpleNamespace(
                error_code=0, generation_id=3, leader_id=self.leader, member_id=member, members=members
            )
        return SimpleNamespace(error_code=self.syncing if request._member_id == "L" else 0)


async def join_and_sync(coordinator: Coordinator) -> Any:
    client = SimpleNamespace(send=coordinator.send)
    outlive_leaders(SimpleNamespace(_client=client))
    for request in (
        JoinGroupRequest("g", 1, 1, "us", None, "consumer", [("p", b"m")]),  # pyright: ignore[reportArgumentType]
        SyncGroupRequest("g", 3, "us", None, []),  # pyright: ignore[reportArgumentType]
    ):
        answer = await client.send(7, request, group=ConnectionGroup.COORDINATION)
    return answer


US = [("JoinGroup", "us"), ("DescribeGroups", ""), ("SyncGroup", "us")]


@pytest.mark.parametrize(
    ("state", "members"), [("Stable", ["L", "us"]), ("CompletingRebalance", ["L", "us"]), ("Unknown", ["L", "us"])]
)
async def test_a_leader_that_is_a_member_is_waited_for(state: str, members: list[str]) -> None:
    coordinator = Coordinator(state, members)
    assert (await join_and_sync(coordinator)).error_code == 0
    assert coordinator.heard == US


async def test_who_leads_asks_nothing_more() -> None:
    coordinator = Coordinator("Unknown", [], leader="us")
    await join_and_sync(coordinator)
    assert coordinator.heard == [("JoinGroup", "us"), ("SyncGroup", "us")]


async def test_a_group_that_cannot_be_described_is_joined_all_the_same() -> None:
    coordinator = Coordinator("Unknown", ["us"])
    coordinator.describing = KafkaConnectionError("gone")
    assert (await join_and_sync(coordinator)).error_code == 0
    assert coordinator.heard == US


async def test_a_leader_that_left_is_joined_for_once_and_leaves_a_group_that_is_stable(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And whoever found that out says so, and joins anew instead of waiting for it."""
    coordinator = Coordinator("Unknown", ["us"])
    assert (await join_and_sync(coordinator)).error_code == RebalanceInProgressError.errno
    assert coordinator.heard == [*US[:2], ("JoinGroup", "L"), ("SyncGroup", "L"), ("LeaveGroup", "L")]
    assert "group g: the broker keeps a leader that left during a rebalance" in caplog.text


async def test_a_leader_that_could_not_share_out_does_not_leave_again() -> None:
    """It would be kept for ever once more; as a member it is put out when its session is over."""
    coordinator = Coordinator("Unknown", ["us"])
    coordinator.syncing = RebalanceInProgressError.errno
    await join_and_sync(coordinator)
    assert coordinator.heard == [*US[:2], ("JoinGroup", "L"), ("SyncGroup", "L")]


async def test_other_requests_pass(topic_prefix: str) -> None:
    coordinator = Coordinator("Unknown", ["us"])
    client = SimpleNamespace(send=coordinator.send)
    outlive_leaders(SimpleNamespace(_client=client))
    await client.send(7, HeartbeatRequest(topic_prefix, 3, "us"), group=ConnectionGroup.COORDINATION)
    assert coordinator.heard == [("Heartbeat", "us")]
