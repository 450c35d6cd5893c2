"""Topics are created once, with the right settings, on every broker; and what differs is named."""

from __future__ import annotations

import pytest
from aiokafka.admin import NewTopic

from syncline.errors import BrokerUnreachableError, SettingsError, TopicError
from syncline.kafka.cluster import Cluster
from syncline.kafka.topics import DAY_MS, Difference, TopicPlan, admin_client, check_topics, create_topics, read_topics
from syncline.wire.contract import ALL_TOPICS, DEADLETTER, DECISIONS, MEDIA_TOPICS
from tests.support.brokers import TestBroker


def named(differences: list[Difference]) -> list[tuple[str, str, str]]:
    """Topic, setting and what was got."""
    return [(difference.topic, difference.setting, difference.got) for difference in differences]


async def test_created_topics_pass_the_check(broker: TestBroker, topic_prefix: str) -> None:
    """What create makes, check accepts, with the number of partitions that was asked for."""
    plan = TopicPlan(n_partitions=3, prefix=topic_prefix)
    assert await create_topics(broker.address, plan) == list(plan.names())
    report = await check_topics(broker.address, topic_prefix, n_partitions=3, replication=1)
    assert report.differences == []
    assert report.n_partitions == 3


async def test_creating_again_changes_nothing(broker: TestBroker, topic_prefix: str) -> None:
    """A second create makes no topic, and leaves those that are there as they are."""
    await create_topics(broker.address, TopicPlan(n_partitions=2, prefix=topic_prefix))
    assert await create_topics(broker.address, TopicPlan(n_partitions=5, prefix=topic_prefix)) == []
    report = await check_topics(broker.address, topic_prefix)
    assert report.n_partitions == 2


async def test_a_missing_topic_is_made_and_the_others_are_left(broker: TestBroker, topic_prefix: str) -> None:
    """Create fills the gaps of a half-made set."""
    async with admin_client(Cluster.of(broker.address)) as admin:
        await admin.create_topics([NewTopic(f"{topic_prefix}media.text", 2, 1)])
    created = await create_topics(broker.address, TopicPlan(n_partitions=2, prefix=topic_prefix))
    assert len(created) == len(ALL_TOPICS) - 1
    assert f"{topic_prefix}media.text" not in created


async def test_the_settings_arrive_at_the_broker(broker: TestBroker, topic_prefix: str) -> None:
    """The broker tells each setting as it was planned: decisions outlive media, dead letters have more room."""
    plan = TopicPlan(n_partitions=1, prefix=topic_prefix, retention_ms=DAY_MS, max_message_bytes=500_000)
    await create_topics(broker.address, plan)
    states = await read_topics(broker.address, plan.names())
    for topic in ALL_TOPICS:
        told = states[topic_prefix + topic].config
        assert plan.config(topic).items() <= told.items(), topic
    assert states[topic_prefix + DECISIONS].config["retention.ms"] == str(8 * DAY_MS)
    assert states[topic_prefix + DEADLETTER].config["max.message.bytes"] == str(500_000 + 65_536)
    for topic in MEDIA_TOPICS:
        assert states[topic_prefix + topic].config["message.timestamp.type"] == "LogAppendTime"


async def test_unequal_partition_counts_are_named(broker: TestBroker, topic_prefix: str) -> None:
    """One topic with another number of partitions is a difference with both numbers."""
    async with admin_client(Cluster.of(broker.address)) as admin:
        await admin.create_topics([NewTopic(topic_prefix + DECISIONS, 3, 1)])
    await create_topics(broker.address, TopicPlan(n_partitions=2, prefix=topic_prefix))
    report = await check_topics(broker.address, topic_prefix)
    assert report.n_partitions is None
    assert (topic_prefix + DECISIONS, "partitions", "3") in named(report.differences)


async def test_missing_topics_are_named_and_not_made(broker: TestBroker, topic_prefix: str) -> None:
    """Checking an empty prefix names every topic, and creates none by asking."""
    for _ in range(2):
        report = await check_topics(broker.address, topic_prefix)
        assert named(report.differences) == [(topic_prefix + topic, "topic", "missing") for topic in ALL_TOPICS]


async def test_short_lived_decisions_are_refused(broker: TestBroker, topic_prefix: str) -> None:
    """Decisions that are kept no longer than media plus 7 days, or by size, or compacted, are differences."""
    bad = {"cleanup.policy": "compact", "retention.ms": str(DAY_MS), "retention.bytes": "1000000"}
    async with admin_client(Cluster.of(broker.address)) as admin:
        await admin.create_topics([NewTopic(topic_prefix + DECISIONS, 1, 1, topic_configs=bad)])
    await create_topics(broker.address, TopicPlan(n_partitions=1, prefix=topic_prefix))
    report = await check_topics(broker.address, topic_prefix)
    wrong = {(setting, got) for topic, setting, got in named(report.differences) if topic == topic_prefix + DECISIONS}
    assert wrong == set(bad.items())


@pytest.mark.apache
async def test_an_impossible_replication_is_refused_by_name(broker: TestBroker, topic_prefix: str) -> None:
    """More copies than brokers: the error carries the topic and the broker's words."""
    with pytest.raises(TopicError, match=r"media\.image.*replication factor"):
        await create_topics(broker.address, TopicPlan(prefix=topic_prefix, replication=3))


async def test_media_stamped_by_producers_are_refused(broker: TestBroker, topic_prefix: str) -> None:
    """A media topic whose records carry the producer's time is found out: retention would go by that."""
    topic = f"{topic_prefix}media.image"
    async with admin_client(Cluster.of(broker.address)) as admin:
        stamped = {"message.timestamp.type": "CreateTime", "cleanup.policy": "delete", "min.insync.replicas": "1"}
        await admin.create_topics([NewTopic(topic, 4, 1, topic_configs=stamped)])
    await create_topics(broker.address, TopicPlan(prefix=topic_prefix))
    report = await check_topics(broker.address, topic_prefix)
    assert named(report.differences) == [(topic, "message.timestamp.type", "CreateTime")]


async def test_a_broker_that_is_not_there_is_named() -> None:
    """No broker: one error with the address."""
    with pytest.raises(BrokerUnreachableError, match=r"127\.0\.0\.1:1"):
        await create_topics("127.0.0.1:1", TopicPlan())


@pytest.mark.parametrize("setting", ["n_partitions", "replication", "retention_ms", "max_message_bytes"])
def test_an_impossible_plan_is_refused(setting: str) -> None:
    """Zero of anything is a wrong setting, by name."""
    with pytest.raises(SettingsError, match=setting):
        TopicPlan(**{setting: 0})
