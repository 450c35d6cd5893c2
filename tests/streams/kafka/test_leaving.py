"""Leaving a group in the midst of a rebalance: on the thread that the consumer belongs to, and not after it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.support.brokers import TestBroker
from tests.support.delivering import Noting
from tests.support.topics import make_topics

LIMIT_S = 300.0
SESSION_TIMEOUT_MS = {"tansu": 3_000, "apache": 30_000}
"""By kind of broker. On Apache Kafka longer than any test waits: who is not gone by then has not said good-bye. Tansu
waits for the session of whoever has."""


class Told(Noting):
    """Does as the test says while it gives its partitions away."""

    def __init__(self, broker: TestBroker, prefix: str) -> None:
        super().__init__(broker, prefix, session_timeout_ms=SESSION_TIMEOUT_MS[broker.kind])
        self.stopping: asyncio.Task[None] | None = None
        self.stops_when_revoked = False
        self.may_give_away = asyncio.Event()
        self.may_give_away.set()

    async def on_revoked(self) -> None:
        await super().on_revoked()
        if self.stops_when_revoked and self.stopping is None:
            self.stopping = asyncio.create_task(self.app.stop())
            async with asyncio.timeout(LIMIT_S):
                while not self.app.should_stop:  # noqa: ASYNC110
                    await asyncio.sleep(0)
        await self.may_give_away.wait()


async def test_a_stop_while_partitions_are_given_away_leaves_the_group(
    broker: TestBroker, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Faust had another loop than the consumer's close it, which then could not leave: the worker ended with 1."""
    caplog.set_level(logging.INFO)
    await make_topics(broker.address, topic_prefix, 2)
    first = Told(broker, topic_prefix)
    await first.app.start()
    first.stops_when_revoked = True
    async with Told(broker, topic_prefix) as second, asyncio.timeout(LIMIT_S):
        await first.until(lambda: first.stopping is not None)
        assert first.stopping is not None
        await first.stopping
        assert not first.app.batches.is_member
        assert "cleanly" not in caplog.text
        await second.until(lambda: len(second.owned) == 6)


async def test_a_group_whose_leader_stopped_last_can_be_joined_again(broker: TestBroker, topic_prefix: str) -> None:
    """The embedded broker keeps a leader that leaves while others go, and lets nobody else share out."""
    await make_topics(broker.address, topic_prefix, 2)
    leader, other = Told(broker, topic_prefix), Told(broker, topic_prefix)
    await leader.app.start()
    await other.app.start()
    await leader.until(lambda: len(leader.owned) == len(other.owned) == 3)
    await other.app.stop()
    await leader.app.stop()
    async with asyncio.timeout(LIMIT_S), Told(broker, topic_prefix) as third:
        await third.until(lambda: len(third.owned) == 6)


@pytest.mark.apache
async def test_a_stop_while_the_group_waits_for_another_leaves_it(broker: TestBroker, topic_prefix: str) -> None:
    """The other may be dead, and waited for until its session is over: a good-bye does not stand behind that."""
    await make_topics(broker.address, topic_prefix, 2)
    first = Told(broker, topic_prefix)
    await first.app.start()
    async with Told(broker, topic_prefix) as slow, asyncio.timeout(LIMIT_S):
        await first.until(lambda: len(first.owned) == len(slow.owned) == 3)
        slow.may_give_away.clear()
        newcomer = Told(broker, topic_prefix)
        joining = asyncio.create_task(newcomer.app.start())  # which has all of them meet anew
        await first.until(lambda: first.app.batches._thread.joins)
        await first.app.stop()
        assert not first.app.batches.is_member
        slow.may_give_away.set()
        await slow.until(lambda: len(newcomer.owned) == len(slow.owned) == 3)
        await joining
        await newcomer.app.stop()
