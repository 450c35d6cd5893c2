"""streams/kafka/app.py: what of Faust is switched off, and that its agents only hand over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from streams.join.settings import JoinSettings
from streams.kafka.app import SynclineApp
from streams.kafka.batch_consumer import BatchConsumer, FetchedBatch
from streams.settings import WorkerSettings
from syncline.kafka.cluster import Cluster
from syncline.wire.contract import MEDIA_TOPICS


class Nobody:
    """Hears of assignments, and does nothing."""

    async def on_assigned(self, epoch: int, generation: int, positions: Mapping[object, int | None]) -> None:
        return

    async def on_revoked(self) -> None:
        return


@pytest.fixture
async def app() -> SynclineApp:
    settings = WorkerSettings(group="g", topic_prefix="p.", brokers="a:1,b:2", session_timeout_ms=9_000)
    return SynclineApp(settings, Cluster.of(settings.brokers), lambda batch: None, Nobody())


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("id", "g"),
        ("web_enabled", False),
        ("topic_disable_leader", True),
        ("topic_allow_declare", False),
        ("stream_wait_empty", False),
        ("table_standby_replicas", 1),
        ("broker_session_timeout", 9.0),
        ("broker_rebalance_timeout", 9.0),
        ("broker_heartbeat_interval", 1.0),
        ("consumer_auto_offset_reset", "none"),
        ("broker_request_timeout", 30.0),
    ],
)
async def test_a_setting_of_faust(app: SynclineApp, setting: str, value: object) -> None:
    """Each row of the design's table that a setting avoids."""
    assert getattr(app.conf, setting) == value


async def test_there_is_no_web_server_and_no_folder(app: SynclineApp, tmp_path_factory: pytest.TempPathFactory) -> None:
    """/livez and /readyz are ours, and a container's root is read-only."""
    assert list(app.boot_strategy.web_server()) == []
    app._create_directories()
    assert not app.conf.datadir.exists()


async def test_there_is_an_agent_for_each_media_topic(app: SynclineApp) -> None:
    """Of the deployment's prefix; their topics need no acknowledgement of Faust's."""
    assert set(app.agents) == {"p." + topic for topic in MEDIA_TOPICS}
    assert all(not agent.channel.acks for agent in app.agents.values())
    assert app.transport.Consumer is BatchConsumer


@pytest.mark.parametrize(("held", "n_records"), [(1_000, 200), (600, 200), (100, 33), (2, 1)])
async def test_a_poll_brings_no_more_than_may_be_held(held: int, n_records: int) -> None:
    """Of all topics together: else the hard limit is passed before anything is decided, and pressure tears sets."""
    settings = WorkerSettings(group="g", join=JoinSettings(max_held_events=held))
    app = SynclineApp(settings, Cluster.of(settings.brokers, settings.security), lambda batch: None, Nobody())
    assert app.records_per_poll == n_records


async def test_a_poll_brings_no_more_than_the_share_of_a_partition_number(app: SynclineApp) -> None:
    """Its worker's limits are shared out among all that it owns."""
    app.n_shares = 16
    assert app.records_per_poll == WorkerSettings().join.max_held_events // 16 // len(MEDIA_TOPICS)


async def test_an_agent_hands_over_a_whole_batch_and_goes_on(app: SynclineApp) -> None:
    """It is given each batch as it came, in order, and waits for nobody."""
    taken: list[FetchedBatch] = []
    batches = [FetchedBatch(1, "p.media.image", 0, [object()] * size, size) for size in (3, 1)]

    class Stream:
        def noack(self) -> Stream:
            return self

        async def __aiter__(self):
            for batch in batches:
                yield batch

    other = SynclineApp(WorkerSettings(group="h"), Cluster.of("a:1"), taken.append, Nobody())
    agent = next(iter(other.agents.values()))
    await asyncio.wait_for(agent.fun(Stream()), 300)
    assert taken == batches
