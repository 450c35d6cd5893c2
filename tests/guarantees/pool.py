"""The workers of one run: started, borrowed by whoever makes one suffer, and asked at the end how they fared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import get_args

import msgspec

from streams.join.settings import JoinSettings
from syncline.wire.contract import DECISIONS, RESULT_TOPICS
from tests.guarantees.hindrances import Hindrances
from tests.support.brokers import TestBroker
from tests.support.interferences import Interferences, Interruption, Outage, Point
from tests.support.proxy import Proxy
from tests.support.worker_process import WorkerProcess

STOP_LIMIT_S = 60.0
LOOK_S = 0.05


def stop_at(point: Point) -> str:
    """The switch that stops a worker at this point."""
    return f"stop-{point}"


def kill_at(point: Point) -> str:
    """The switch that kills a worker at this point."""
    return f"kill-{point}"


def refused(topic: str) -> str:
    """The switch that has a topic take nothing."""
    return f"refused-{topic}"


def unanswered(topic: str) -> str:
    """The switch that has a topic take what is sent and say that it does not."""
    return f"unanswered-{topic}"


def interferences(mutations: Sequence[str] = ()) -> Interferences:
    """Every interruption and outage, each behind its switch, in a worker with these mutations."""
    topics = (DECISIONS, *RESULT_TOPICS)
    return Interferences(
        interruptions=(
            *(Interruption(point=point, switch=stop_at(point)) for point in get_args(Point)),
            *(Interruption(point=point, switch=kill_at(point), action="kill") for point in get_args(Point)),
        ),
        outages=(
            *(Outage(topic=topic, switch=refused(topic)) for topic in topics),
            *(Outage(topic=topic, switch=unanswered(topic), answer_lost=True) for topic in topics),
        ),
        mutations=tuple(mutations),
    )


class Pool:
    """Workers by number, from 1; an async context manager that leaves none behind.

    behind_proxies: each has a proxy of its own between itself and its brokers.
    """

    def __init__(
        self,
        broker: TestBroker,
        prefix: str,
        join: JoinSettings,
        mutations: Sequence[str] = (),
        *,
        behind_proxies: bool = False,
        **settings: object,
    ) -> None:
        self._broker, self._prefix = broker, prefix
        self._settings = {**flags_of(join), **settings}
        self._interferences = interferences(mutations)
        self._behind_proxies = behind_proxies
        self._stack = AsyncExitStack()
        self._free = asyncio.Condition()
        self._borrowed: set[int] = set()
        self.workers: dict[int, WorkerProcess] = {}
        """Those that are supposed to run."""
        self.all: dict[int, WorkerProcess] = {}
        """Those that ever ran."""
        self._begun_with: dict[WorkerProcess, dict[str, object]] = {}
        self.proxies: dict[WorkerProcess, Proxy] = {}
        """Those that stand before workers."""
        self.hindrances = Hindrances()
        self.complaints: list[str] = []
        """Workers that did not end as they should have."""

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def add(self) -> WorkerProcess:
        """Start one more."""
        proxy = await self._stack.enter_async_context(Proxy(self._broker.address)) if self._behind_proxies else None
        worker = await self.visitor(**({"brokers": proxy.address} if proxy else {}))
        if proxy is not None:
            self.proxies[worker] = proxy
        async with self._free:
            self.workers[self._number_of(worker)] = worker
            self._free.notify_all()
        return worker

    async def visitor(self, **settings: object) -> WorkerProcess:
        """Start one with further settings that is none of those that are supposed to run."""
        worker = WorkerProcess(self._broker, self._prefix, self._interferences, **{**self._settings, **settings})
        self.all[len(self.all) + 1] = worker
        self._begun_with[worker] = worker.settings
        return await self._stack.enter_async_context(worker)

    def _number_of(self, worker: WorkerProcess) -> int:
        return next(number for number, one in self.all.items() if one is worker)

    @asynccontextmanager
    async def borrow(self, victim: int) -> AsyncGenerator[WorkerProcess]:
        """A worker that nobody else has borrowed: of those, the one of this number modulo how many they are."""
        async with self._free:
            await self._free.wait_for(self._lendable)
            lendable = self._lendable()
            number = lendable[victim % len(lendable)]
            self._borrowed.add(number)
        async with self._lent(number) as worker:
            yield worker

    @asynccontextmanager
    async def borrow_number(self, number: int) -> AsyncGenerator[WorkerProcess | None]:
        """This worker, once nobody else has borrowed it; None where it is not supposed to run any more."""
        async with self._free:
            await self._free.wait_for(lambda: number not in self._borrowed)
            is_there = number in self.workers
            if is_there:
                self._borrowed.add(number)
        if not is_there:
            yield None
            return
        async with self._lent(number) as worker:
            yield worker

    @asynccontextmanager
    async def _lent(self, number: int) -> AsyncGenerator[WorkerProcess]:
        self._look_at([number])
        try:
            yield self.workers[number]
        finally:
            await self._give_back([number])

    @asynccontextmanager
    async def borrow_all(self) -> AsyncGenerator[list[WorkerProcess]]:
        """All workers, once nobody has borrowed any."""
        async with self._free:
            await self._free.wait_for(lambda: not self._borrowed and self.workers)
            numbers = list(self.workers)
            self._borrowed.update(numbers)
        self._look_at(numbers)
        try:
            yield [self.workers[number] for number in numbers]
        finally:
            await self._give_back(numbers)

    async def _give_back(self, numbers: Sequence[int]) -> None:
        self._look_at(number for number in numbers if number in self.workers)
        async with self._free:
            self._borrowed.difference_update(numbers)
            self._free.notify_all()

    def _look_at(self, numbers: Iterable[int]) -> None:
        """Complain of those that ended though nobody told them to."""
        self.complaints += [f"worker {n} has ended by itself" for n in numbers if not self.workers[n].running]

    def _lendable(self) -> list[int]:
        return sorted(self.workers.keys() - self._borrowed)

    async def terminate(self, worker: WorkerProcess) -> None:
        """End one with SIGTERM; it complains of an exit code other than 0, unless something may have held it up."""
        told_s = time.monotonic()
        async with asyncio.timeout(STOP_LIMIT_S):
            while worker.running and not (await worker.ask("/livez"))[0]:  # noqa: ASYNC110 (a file has no event)
                await asyncio.sleep(LOOK_S)  # before it answers, it hears no signal either
        code, _ = await worker.terminate(STOP_LIMIT_S)
        if code != 0 and not self.hindrances.felt_since(told_s, worker):
            self.complaints.append(f"a worker that was told to stop ended with code {code}")

    def settings_of(self, worker: WorkerProcess, changed: Mapping[str, object]) -> dict[str, object]:
        """Those that it began with, with this changed; None leaves one at its default."""
        settings = {**self._begun_with[worker], **changed}
        return {name: value for name, value in settings.items() if value is not None}

    async def until_ready(self, worker: WorkerProcess) -> None:
        """Wait until it is; complain if it does not become so."""
        try:
            await worker.until_ready()
        except AssertionError as error:
            self.complaints.append(str(error))

    def remove(self, worker: WorkerProcess) -> None:
        """It is not supposed to run any more."""
        self.workers = {number: one for number, one in self.workers.items() if one is not worker}

    def switch(self, name: str, *, on: bool) -> None:
        """Turn a switch of all workers."""
        for worker in self.workers.values():
            worker.switch(name, on=on)

    async def stop(self) -> None:
        """End all with SIGTERM, at the end of a run."""
        self._look_at(self.workers)
        running = [worker for worker in self.workers.values() if worker.running]
        await asyncio.gather(*(self.terminate(worker) for worker in running))


def flags_of(join: JoinSettings) -> dict[str, str]:
    """Settings of the join as the worker's flags take them; those at their default are left out."""
    default = msgspec.to_builtins(JoinSettings())
    return {
        name: _flag(value)
        for name, value in msgspec.to_builtins(join).items()
        if value != default[name]
    }  # fmt: skip


def _flag(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}={one}" for key, one in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
