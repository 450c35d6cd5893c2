"""One worker process: loads its models, builds its parts, and runs until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from models import registry
from models.interface import Model
from models.registry import open_converter
from streams.convert.conversions import Conversions
from streams.convert.runner import ConverterRunner
from streams.inference.runner import ModelRunner
from streams.kafka.app import SynclineApp
from streams.kafka.cluster_watch import AuthWatch, Counted, PartitionsChangedError, wait_for_topics, watch_partitions
from streams.kafka.log import LogTail
from streams.kafka.producer import Producer
from streams.observe.descriptors import ReadingTurns
from streams.observe.health import Health
from streams.observe.worker_state import WorkerState
from streams.partition.context import Fuse, GroupMember, WorkerContext
from streams.partition.decode import Decoder
from streams.partition.high_waters import HighWaters, LagWatch
from streams.partition.manager import PartitionManager
from streams.settings import WorkerSettings
from streams.worker.memory_budget import check_shares
from streams.worker.shutdown import DISCONNECT_UNTIL, Shutdown, ShutdownDeadline
from syncline.errors import BrokerError, SettingsError
from syncline.kafka.cluster import Cluster
from syncline.wire.contract import DECISIONS
from syncline.wire.results import ModelInfo

log = logging.getLogger(__name__)

RECOVERIES_AT_ONCE = 4
CHECK_S = 0.5


def now_ms() -> int:
    """Monotonic milliseconds."""
    return int(time.monotonic() * 1_000)


class Worker:
    """One worker process. `run` returns after `stop`, and raises the error that ended it otherwise."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._cluster = Cluster.of(settings.brokers, settings.security)
        self._manager = PartitionManager(settings.topic_prefix, settings.handover.carry_out_s)
        self._stop = asyncio.Event()
        self._pool = ThreadPoolExecutor(settings.decode_threads, thread_name_prefix="decode")
        self._state = WorkerState(settings=settings, manager=self._manager)
        self._health = Health(self._state)
        self._changed: PartitionsChangedError | None = None
        self.deadline = ShutdownDeadline(settings.stop_limit_ms / 1_000)
        self.ending = Shutdown(self.deadline, self._state)

    def stop(self) -> None:
        """Tell it to stop."""
        self.deadline.begin()
        self._stop.set()

    async def run(self) -> None:
        """Work until told to stop."""
        await self._start_health()
        watching = asyncio.create_task(self._health.watch(self._on_broken), name="health")
        watching.add_done_callback(self._on_task_done)
        self.ending.closers.append(lambda: self._end([watching]))
        starting = asyncio.create_task(self._start(), name="start")
        try:
            if await self._is_done_before_told(starting):
                await self._work(starting.result())
        finally:
            await self.ending.disconnect(starting, self._pool)
            await self.deadline.wait([self._health.close()], DISCONNECT_UNTIL)
        if self._state.broken is not None:
            raise self._state.broken
        if self._changed is not None:
            raise self._changed

    async def _is_done_before_told(self, task: asyncio.Task[Any]) -> bool:
        told = asyncio.create_task(self._stop.wait(), name="told to stop")
        await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        return task.done()

    async def _start_health(self) -> None:
        settings, server = self._settings, self._health.server
        try:
            await server.start()
        except OSError as error:
            raise SettingsError(
                "web_port", settings.web_port, f"a free port of {settings.web_host}: {error}"
            ) from error
        log.info("health: http://%s:%d/readyz", settings.web_host, server.port)

    async def _start(self) -> SynclineApp:
        """Start everything up to the application, which is returned unstarted."""
        settings, closers = self._settings, self.ending.closers
        model, fuse = await load_model(self._state, closers)
        log.info("%s", describe(model, settings))
        await load_converters(self._state, closers)
        n_partitions = await wait_for_topics(
            self._cluster, settings.topic_prefix, settings.group, self._say_why_it_waits
        )
        check_shares(settings, n_partitions)
        app = SynclineApp(settings, self._cluster, self._manager.hand_over, self._manager)
        context = await self._open(app, model, fuse, n_partitions)
        self._manager.use(context)
        self._state.context = context
        background = self._start_background(app, context)
        closers.append(lambda: self._end(background))
        return app

    async def _open(self, app: SynclineApp, model: Model, fuse: Fuse | None, n_partitions: int) -> WorkerContext:
        settings, closers = self._settings, self.ending.closers
        producer = Producer(self._cluster)
        closers.append(producer.stop)  # it connects at the first send
        tail = LogTail(self._cluster, settings.topic_prefix + DECISIONS)
        closers.append(tail.stop)
        await tail.start()
        return WorkerContext(
            settings=settings,
            cluster=self._cluster,
            n_partitions=n_partitions,
            model_info=ModelInfo(model.name, model.version),
            decoder=Decoder(settings.join, n_partitions, model.prepare, settings.max_event_bytes),
            pool=self._pool,
            producer=producer,
            tail=tail,
            fuse=fuse,
            recoveries=ReadingTurns(RECOVERIES_AT_ONCE, self._health.descriptors),
            now_ms=now_ms,
            consumer=GroupMember(app, settings.topic_prefix),
            on_broken=self._on_broken,
            counted=Counted(now_ms),
            conversions=self._state.conversions,
            meter=self._state.meter,
        )

    def _say_why_it_waits(self, trouble: str) -> None:
        if trouble != self._state.starting:
            log.warning("waiting: %s", trouble)
        self._state.starting = trouble

    async def _work(self, app: SynclineApp) -> None:
        """Run Faust. Its start ends with the first assignment; a stop does not wait for it."""
        self._state.starting = ""
        self.ending.begins_to_work()
        joining = asyncio.create_task(app.start(), name="join the group")
        try:
            if await self._is_done_before_told(joining):
                joining.result()
            await self._stop.wait()
        finally:
            await self.ending.stop_working(app, joining)

    def _start_background(self, app: SynclineApp, context: WorkerContext) -> list[asyncio.Task[None]]:
        cluster, prefix, manager, tail = self._cluster, self._settings.topic_prefix, self._manager, context.tail
        high_waters = HighWaters(manager, context)
        lag_watch = self._state.lag_watch = LagWatch(manager, context)
        access = self._state.access = AuthWatch(cluster, lambda: lag_watch.silent_ms)
        counting = watch_partitions(cluster, prefix, manager, context.n_partitions, context.counted)
        works = {
            "ticking the partitions": manager.tick(),
            "asking for high watermarks": high_waters.run(),
            "asking for the lag": lag_watch.run(),
            "checking access to the broker": access.run(),
            "counting partitions": counting,
            "watching the application": self._watch_application(app),
        }
        tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        for task in tasks:
            task.add_done_callback(self._on_task_done)
        if tail.task is not None:  # its own stop cancels it; /livez reports any other end
            tail.task.add_done_callback(lambda task: None if task.cancelled() else self._on_task_done(task))
        return tasks

    # --- trouble -----------------------------------------------------------------------------------------------

    def _on_broken(self, error: BaseException) -> None:
        if self._state.broken is None:
            log.error("this worker ends: %r", error, exc_info=None if isinstance(error, SettingsError) else error)
            self._state.broken = error
        self._stop.set()

    async def _watch_application(self, app: SynclineApp) -> None:
        while not app.crashed and app.refused is None:  # noqa: ASYNC110 (Faust has no event for it)
            await asyncio.sleep(CHECK_S)
        raise app.refused or app.crash_reason or BrokerError("the Faust application ended by itself")

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        """End the worker: a task must end only by `_end`. One that was cancelled is as missing as one that failed."""
        error = RuntimeError(f"{task.get_name()} was cancelled") if task.cancelled() else task.exception()
        if isinstance(error, PartitionsChangedError):
            log.error("%s", error)
            self._changed = error
            self.stop()
        elif error is not None:
            self._on_broken(error)

    async def _end(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.remove_done_callback(self._on_task_done)
            task.cancel()
        await asyncio.wait(tasks)


NULL = "null"
"""The model that answers nothing: its sets skip the model's thread."""
Closers = list[Callable[[], Awaitable[None]]]


def describe(model: Model, settings: WorkerSettings) -> str:
    """Describe this worker in one line: model and device, lanes, strategy."""
    join = settings.join
    what = f"model {model.name} {model.version}" + (f" on {model.device}" if model.device else "")
    if settings.model == NULL:
        what = "no model: sets are joined and get no labels (--model NAME; names: syncline model list)"
    return f"{what}; lanes {', '.join(join.lanes)}; strategy {join.strategy}"


async def load_model(state: WorkerState, closers: Closers) -> tuple[Model, Fuse | None]:
    """Load the model that fuses. Raises its errors."""
    settings = state.settings
    state.starting = f"loading model {settings.model}"
    if settings.model == NULL:
        return registry.load(NULL), None
    state.runner = runner = ModelRunner(lambda: registry.load(settings.model), settings.runner)
    closers.append(runner.close)
    await runner.start()
    return runner.model, runner.fuse


async def load_converters(state: WorkerState, closers: Closers) -> None:
    """Load the converters of the settings. Raises their errors."""
    settings = state.settings
    if not settings.converters:
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="prepare")
    runners = [
        ConverterRunner(spec.kind, partial(open_converter, spec), pool, settings.converter_runner)
        for spec in settings.converters
    ]
    state.starting = f"loading {', '.join(settings.convert)}"
    state.conversions = Conversions(runners, pool, settings.convert_streams)
    closers.append(state.conversions.close)
    await state.conversions.start()
