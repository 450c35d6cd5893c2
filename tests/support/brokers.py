"""Brokers that tests share: Tansu always, Apache Kafka on request; each with the same few methods."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from syncline.broker import EmbeddedBroker
from tests.support.apache_kafka import ApacheKafka


class TestBroker(ABC):
    """A broker under test. `stop` and `start` may be called in a test, which leaves it running at its end."""

    __test__ = False
    kind: str

    @property
    @abstractmethod
    def address(self) -> str:
        """Bootstrap address, stays the same over stop and start."""

    @abstractmethod
    async def start(self) -> None:
        """Start it and return when it answers."""

    @abstractmethod
    async def stop(self) -> None:
        """End it; start brings it back on the same address. Tansu forgets all records then, Apache Kafka none."""


class Tansu(TestBroker):
    """The embedded broker."""

    kind = "tansu"

    def __init__(self) -> None:
        self._broker = EmbeddedBroker()

    @property
    def address(self) -> str:
        return self._broker.address

    @property
    def pid(self) -> int:
        """Of the broker's process, while it runs."""
        assert self._broker.pid is not None
        return self._broker.pid

    async def start(self) -> None:
        if self._broker.port:
            self._broker = EmbeddedBroker(self._broker.port)
        await self._broker.start()

    async def stop(self) -> None:
        await self._broker.stop()


class Apache(TestBroker):
    """Apache Kafka 4.1 in KRaft mode, one node by default."""

    kind = "apache"

    def __init__(self, n_nodes: int = 1) -> None:
        self.cluster = ApacheKafka(n_nodes, in_memory=True)

    @property
    def address(self) -> str:
        return self.cluster.address

    async def start(self) -> None:
        await asyncio.to_thread(self.cluster.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self.cluster.stop)

    def remove(self) -> None:
        """End it for good and remove its data."""
        self.cluster.remove()


KINDS: dict[str, Callable[[], TestBroker]] = {Tansu.kind: Tansu, Apache.kind: Apache}


def start_now(broker: TestBroker) -> None:
    """Start a broker from a fixture that is not async (asyncio.run would need a thread inside a running loop)."""
    asyncio.run(broker.start())


def remove_now(broker: TestBroker) -> None:
    """End a broker for good from a fixture that is not async."""
    if isinstance(broker, Apache):
        broker.remove()
    else:
        asyncio.run(broker.stop())
