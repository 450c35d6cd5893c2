"""Looks now and then at how far the workers have committed, and how far the results reached at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from syncline.errors import BrokerError
from verify import CommitSample, watch_commits

EVERY_S = 0.5
LIMIT_S = 5.0
"""For one look; a broker that is away is looked at again later."""

TakeSample = Callable[[], Coroutine[Any, Any, CommitSample]]


class Sampler:
    """Keeps samples of the commits of one group."""

    def __init__(self, take: TakeSample) -> None:
        self._take = take
        self.samples: list[CommitSample] = []

    async def run(self) -> None:
        """Take a sample every so often, for ever."""
        while True:
            await self.take()
            await asyncio.sleep(EVERY_S)

    async def take(self) -> bool:
        """Take one sample; False where the broker does not answer."""
        try:
            async with asyncio.timeout(LIMIT_S):
                self.samples.append(await self._take())
        except (TimeoutError, BrokerError):
            return False
        return True


@asynccontextmanager
async def sampler(brokers: str, prefix: str, group: str) -> AsyncGenerator[Sampler]:
    """A sampler of a group's commits."""
    async with watch_commits(brokers, topic_prefix=prefix, group=group) as take:
        yield Sampler(take)
