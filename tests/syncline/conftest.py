"""Fixtures for the client side of Syncline."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from syncline.producer import MediaProducer
from tests.support.brokers import TestBroker
from tests.support.topics import make_topics

# Machines that test are busy: a slow example is no failure.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")


@pytest.fixture
async def producer(broker: TestBroker, topic_prefix: str) -> AsyncIterator[MediaProducer]:
    """A started producer on topics of its own."""
    await make_topics(broker.address, topic_prefix)
    async with MediaProducer(broker.address, topic_prefix=topic_prefix) as started:
        yield started
