"""A small stage for scenarios in which every step is chosen: one partition, chosen records, events to wait for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from streams.decisions.entries import Entry, decode_entry
from streams.join.settings import JoinSettings
from streams.kafka.log import LogReader
from syncline.kafka.cluster import as_cluster
from syncline.send_log import Send
from syncline.wire.contract import CONTENT_TYPES, DECISIONS, MODALITIES
from syncline.wire.events import MediaEvent, build_headers
from tests.guarantees.media import Media
from tests.guarantees.pool import flags_of, interferences
from tests.guarantees.progress import Progress
from tests.guarantees.sampling import Sampler, sampler
from tests.guarantees.sends import Sender
from tests.guarantees.stage import GROUP
from tests.support.brokers import TestBroker
from tests.support.judge import Outcomes
from tests.support.topics import make_topics
from tests.support.worker_process import WorkerProcess
from verify import Report, check, read_history

LIMIT_S = 60.0
LOOK_S = 0.05
QUIET_S = 1.5
START_MS = 1_700_000_000_000
PERIOD_MS = 200


def media_of(stream: str, modality: str, moment: int) -> Media:
    """The record of one modality of one moment of a stream, for the one partition that there is."""
    time_ms = START_MS + moment * PERIOD_MS
    event = MediaEvent(stream, modality, f"urn:test:{modality}", str(moment), time_ms, CONTENT_TYPES[modality][0])
    return Media(event, event.topic, 0, stream.encode(), b"x", build_headers(event))


def moment_of(stream: str, moment: int) -> list[Media]:
    """All records of one moment."""
    return [media_of(stream, modality, moment) for modality in MODALITIES]


@dataclass
class Scene:
    """What a scenario works with. `mutations`: what is wrong with its workers; none for the worker as it is."""

    broker: TestBroker
    prefix: str
    join: JoinSettings
    mutations: tuple[str, ...]
    progress: Progress
    sampler: Sampler
    stack: AsyncExitStack
    sends: list[Send] = field(default_factory=list[Send])

    @property
    def outcomes(self) -> Outcomes:
        """What was published so far."""
        return self.progress.outcomes

    @property
    def silent_s(self) -> float:
        """For how long nothing has been published."""
        return time.monotonic() - self.progress.last_s

    async def worker(self, **settings: object) -> WorkerProcess:
        """Start a worker; it is gone at the scene's end."""
        flags = {**flags_of(self.join), **settings}
        worker = WorkerProcess(self.broker, self.prefix, interferences(self.mutations), **flags)
        return await self.stack.enter_async_context(worker)

    async def send(self, *media: Media) -> None:
        """Send records; those of one topic stay in order."""
        sender = Sender(self.broker.address, self.prefix, media, per_s=10_000)
        await sender.run()
        self.sends += sender.log

    async def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait for what was published to be so."""
        assert await self.progress.until(done, LIMIT_S), f"waited in vain for {what}"

    async def until_quiet(self, max_wait_ms: int) -> None:
        """Wait until a worker of this `max_wait_ms` has said all that it can say."""
        await self.progress.until_quiet(QUIET_S + max_wait_ms / 1_000)

    async def until_committed(self, topic: str, offset: int) -> None:
        """Wait until this offset is committed; the judge sees all samples."""
        async with asyncio.timeout(LIMIT_S):
            while (await self.committed()).get((topic, 0), 0) < offset:  # noqa: ASYNC110 (a broker has no event)
                await asyncio.sleep(LOOK_S)

    async def committed(self) -> dict[tuple[str, int], int]:
        """What is committed now."""
        async with asyncio.timeout(LIMIT_S):
            while not await self.sampler.take():  # noqa: ASYNC110 (a broker has no event)
                await asyncio.sleep(LOOK_S)
        return self.sampler.samples[-1].committed

    async def until_logged(self, done: Callable[[Sequence[Entry | None]], bool]) -> None:
        """Wait until the decision log is so."""
        cluster, topic = as_cluster(self.broker.address), self.prefix + DECISIONS
        async with asyncio.timeout(LIMIT_S), LogReader(cluster, topic, 0) as reader:
            while True:
                if done([decode_entry(record) for record in await reader.read(*await reader.bounds())]):
                    return
                await asyncio.sleep(LOOK_S)

    async def judge(self, *, finished: bool = True) -> Report:
        """What the checker says of all that is on the broker now."""
        history = await read_history(
            self.broker.address, topic_prefix=self.prefix, sends=self.sends, commits=self.sampler.samples
        )
        return check(history, self.join, finished=finished)


@asynccontextmanager
async def scene_on(
    broker: TestBroker, prefix: str, join: JoinSettings, mutations: Sequence[str] = ()
) -> AsyncGenerator[Scene]:
    """A scene with topics of one partition."""
    await make_topics(broker.address, prefix, 1)
    async with (
        Progress(broker.address, prefix, 1) as progress,
        sampler(broker.address, prefix, prefix + GROUP) as samples,
        AsyncExitStack() as stack,
    ):
        yield Scene(broker, prefix, join, tuple(mutations), progress, samples, stack)
