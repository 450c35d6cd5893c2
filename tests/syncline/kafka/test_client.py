"""Stopping aiokafka's consumers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from syncline.kafka.client import stop_consumer
from tests.support.brokers import TestBroker


class Client:
    """What a consumer holds its connections with."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def close(self) -> None:
        self.closed.set()


class Ill:
    """A consumer whose `stop` does what aiokafka's can do while its broker is away."""

    def __init__(self) -> None:
        self._client = Client()

    async def stop(self) -> None:
        raise NotImplementedError


class Hangs(Ill):
    async def stop(self) -> None:
        await asyncio.Event().wait()


class Cancels(Ill):
    async def stop(self) -> None:
        raise asyncio.CancelledError


class Fails(Ill):
    async def stop(self) -> None:
        raise OSError("gone")


class FailsAfterItLeft(Fails):
    _coordinator = SimpleNamespace(generation=-1)


class WillNotClose(Hangs):
    def __init__(self) -> None:
        super().__init__()
        self._client.close = asyncio.Event().wait  # type: ignore[method-assign]


@pytest.mark.parametrize("kind", [Hangs, Cancels, Fails, FailsAfterItLeft, WillNotClose])
async def test_stopping_a_consumer_never_raises_and_never_hangs(kind: type[Ill]) -> None:
    """It says whether the consumer left its group; where a fetch or a connection was in the way, that was before."""
    assert await asyncio.wait_for(stop_consumer(kind(), limit_s=0.01), 300) == (kind in (Cancels, FailsAfterItLeft))


@pytest.mark.parametrize("kind", [Hangs, Cancels, Fails])
async def test_its_connections_are_closed_in_any_case(kind: type[Ill]) -> None:
    """A `stop` that fails leaves them open."""
    consumer = kind()
    await stop_consumer(consumer, limit_s=0.01)
    assert consumer._client.closed.is_set()


async def test_a_fetch_that_was_about_to_begin_leaves_no_connection_open(broker: TestBroker) -> None:
    """aiokafka awaits the fetch that it has cancelled, and goes no further."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=broker.address)
    await consumer.start()
    await consumer.topics()
    connections = list(consumer._client._conns.values())
    assert any(one.connected() for one in connections)
    consumer._fetcher._pending_tasks.add(asyncio.create_task(asyncio.Event().wait()))
    assert await stop_consumer(consumer)
    assert not any(one.connected() for one in connections)
