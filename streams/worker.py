"""One worker: settings in, an exit code out. Puts the parts together, and takes them apart in order.

start   health server, model, topics, producer, log tail, Faust application
stop    read no more, carry out what is decided, publish, commit, leave the group, then the rest backwards
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

from models import registry
from models.protocol import Model
from streams.health.state import Health
from streams.kafka.access import AccessWatch
from streams.kafka.app import SynclineApp
from streams.kafka.faust import driver as faust_driver
from streams.kafka.log import LogTail
from streams.kafka.publish import Producer
from streams.kafka.watch import WAIT_FOR_TOPICS_S, HighWaters, LagWatch, count_partitions, watch_partitions
from streams.metrics.sources import Sources
from streams.model.runner import ModelRunner
from streams.partition.decode import Decoder
from streams.partition.hub import Hub
from streams.partition.parts import Fuse, Parts
from streams.settings import WorkerSettings
from syncline.acls import needs_of
from syncline.contract import DECISIONS
from syncline.errors import AccessError, BrokerError, SettingsError
from syncline.kafka import Cluster, require_rights
from syncline.results import ModelInfo

log = logging.getLogger(__name__)

RECOVERIES_AT_ONCE = 4
CHECK_S = 0.5
STOP_LIMIT_S = 5.0
"""For the last commit and leaving the group."""
NULL = "null"
"""The model without an opinion: its sets need no turn on the model's thread."""


def now_ms() -> int:
    """Monotonic milliseconds."""
    return int(time.monotonic() * 1_000)


class Worker:
    """One worker process. `run` returns when it was told to stop; raises what ended it otherwise."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._cluster = Cluster.of(settings.brokers, settings.security)
        self._hub = Hub(settings.topic_prefix)
        self._stop = asyncio.Event()
        self.hangs = False
        """Something would not end; the process must be ended."""
        self._sources = Sources(settings=settings, hub=self._hub)
        self._health = Health(self._sources)

    def stop(self) -> None:
        """Tell it to stop."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    async def run(self) -> None:
        """Work until told to stop."""
        settings = self._settings
        try:
            await self._health.server.start()
        except OSError as error:
            raise SettingsError(
                "web_port", settings.web_port, f"a free port of {settings.web_host}: {error}"
            ) from error
        log.info("health: http://%s:%d/readyz", settings.web_host, self._health.server.port)
        watching = asyncio.create_task(self._health.watch(self._on_broken), name="health")
        watching.add_done_callback(self._on_task_done)
        try:
            await self._work()
        finally:
            await self._end([watching])
            await self._health.server.stop()
        if self._sources.broken is not None:
            raise self._sources.broken

    async def _work(self) -> None:
        settings, topic = self._settings, self._settings.topic_prefix + DECISIONS
        async with AsyncExitStack() as stack:
            model, fuse = await self._load_model(stack)
            n_partitions = await self._wait_for_topics()
            if not n_partitions:
                return
            producer = Producer(self._cluster)
            await producer.start()
            stack.push_async_callback(producer.stop)
            tail = LogTail(self._cluster, topic)
            await tail.start()
            stack.push_async_callback(tail.stop)
            pool = stack.enter_context(ThreadPoolExecutor(settings.decode_threads, thread_name_prefix="decode"))
            decoder = Decoder(settings.join, n_partitions, model.prepare, settings.max_event_bytes)
            app = SynclineApp(settings, self._cluster, self._hub.hand_over, self._hub)
            parts = self._parts(app, model, decoder, pool, producer, tail, fuse)
            self._hub.use(parts)
            sources = self._sources
            sources.decoder, sources.producer, sources.tail, sources.model = decoder, producer, tail, parts.model_info
            sources.heartbeat, sources.consumer_ticks = lambda: app.batches.heartbeat, lambda: app.batches.n_ticks
            stack.push_async_callback(self._end, self._start_background(app, parts, n_partitions, tail))
            sources.starting = ""
            await self._run_application(app)

    async def _run_application(self, app: SynclineApp) -> None:
        """Faust from start to stop; its start ends with the first assignment, for which a stop does not wait."""
        starting, told = asyncio.create_task(app.start()), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([starting, told], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            await told
            await self._drain()
        finally:
            self._sources.starting = "stopping"
            stopping = asyncio.create_task(app.stop())  # commits and leaves the group
            await asyncio.wait([stopping], timeout=STOP_LIMIT_S)
            if not stopping.done():
                log.error("could not leave the group in %.0f s: the broker does not answer", STOP_LIMIT_S)
                self.hangs = True
            self._hub.stop()
            await self._end([starting, told])

    async def _load_model(self, stack: AsyncExitStack) -> tuple[Model, Fuse | None]:
        self._sources.starting = f"loading model {self._settings.model}"
        if self._settings.model == NULL:
            return registry.load(NULL), None
        self._sources.runner = runner = ModelRunner(lambda: registry.load(self._settings.model), self._settings.runner)
        stack.push_async_callback(runner.close)
        await runner.start()
        return runner.model, runner.fuse

    async def _wait_for_topics(self) -> int:
        """The number of partitions once all topics are there and agree; 0 when told to stop before."""
        settings, told = self._settings, ""
        while not self._stop.is_set():
            try:
                await require_rights(self._cluster, needs_of("worker"), settings.topic_prefix, settings.group)
                n_partitions, trouble = await count_partitions(self._cluster, settings.topic_prefix)
            except AccessError:
                raise  # a setting is wrong: waiting mends nothing
            except BrokerError as error:
                n_partitions, trouble = 0, str(error)
            if n_partitions:
                return n_partitions
            self._sources.starting = trouble
            if trouble != told:
                log.warning("waiting: %s", trouble)
                told = trouble
            try:
                async with asyncio.timeout(WAIT_FOR_TOPICS_S):
                    await self._stop.wait()
            except TimeoutError:
                continue
        return 0

    def _parts(
        self, app: SynclineApp, model: Model, decoder: Decoder, pool: ThreadPoolExecutor, producer: Producer,
        tail: LogTail, fuse: Fuse | None,
    ) -> Parts:  # fmt: skip
        prefix = self._settings.topic_prefix

        def heartbeat() -> tuple[int, int]:
            generation, sent_s = app.batches.heartbeat
            return generation, int(sent_s * 1_000)

        return Parts(
            settings=self._settings,
            cluster=self._cluster,
            model_info=ModelInfo(model.name, model.version),
            decoder=decoder,
            pool=pool,
            producer=producer,
            tail=tail,
            fuse=fuse,
            recoveries=asyncio.Semaphore(RECOVERIES_AT_ONCE),
            now_ms=now_ms,
            heartbeat=heartbeat,
            hold=lambda epoch, topic, p, held: app.batches.hold(epoch, faust_driver.TP(prefix + topic, p), held),
            resolve=lambda epoch, topic, p, at: app.batches.resolve(epoch, faust_driver.TP(prefix + topic, p), at),
            fetched_high_water=lambda topic, p: app.batches.fetched_high_water(faust_driver.TP(prefix + topic, p)),
            on_broken=self._on_broken,
            meter=self._sources.meter,
        )

    def _start_background(
        self, app: SynclineApp, parts: Parts, n_partitions: int, tail: LogTail
    ) -> list[asyncio.Task[None]]:
        settings = self._settings
        high_waters = HighWaters(self._cluster, settings.topic_prefix, self._hub, parts)
        lag_watch = self._sources.lag_watch = LagWatch(self._cluster, settings.topic_prefix, self._hub, parts)
        access = self._sources.access = AccessWatch(self._cluster, lambda: lag_watch.silent_ms)
        counting = watch_partitions(self._cluster, settings.topic_prefix, self._hub, n_partitions)
        works = (self._hub.tick(), high_waters.run(), lag_watch.run(), access.run(), counting)
        tasks = [asyncio.create_task(work) for work in (*works, self._watch_application(app))]
        for task in tasks:
            task.add_done_callback(self._on_task_done)
        if tail.task is not None:  # its own stop cancels it; whether it ended otherwise, /livez looks after
            tail.task.add_done_callback(lambda task: None if task.cancelled() else self._on_task_done(task))
        return tasks

    async def _drain(self) -> None:
        if self._sources.broken is not None:
            return
        log.info("stopping: carrying out what is decided")
        if not await self._hub.drain(self._settings.drain_ms / 1_000):
            log.warning("not all that is decided could be carried out in %d ms", self._settings.drain_ms)

    # --- trouble -----------------------------------------------------------------------------------------------

    def _on_broken(self, error: BaseException) -> None:
        if self._sources.broken is None:
            log.error("this worker ends: %r", error, exc_info=error)
            self._sources.broken = error
        self._stop.set()

    async def _watch_application(self, app: SynclineApp) -> None:
        while not app.crashed:  # noqa: ASYNC110 (Faust has no event for it)
            await asyncio.sleep(CHECK_S)
        raise app.crash_reason or BrokerError("the Faust application ended by itself")

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        """None may end but by `_end`; one that somebody else cancelled is missing as much as one that failed."""
        error = RuntimeError(f"{task.get_name()} was cancelled") if task.cancelled() else task.exception()
        if error is not None:
            self._on_broken(error)

    async def _end(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.remove_done_callback(self._on_task_done)
            task.cancel()
        await asyncio.wait(tasks)
