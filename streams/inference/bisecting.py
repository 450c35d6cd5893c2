"""Runs a batch through the model and finds out whether an item or the model itself causes a failure.

    batch of 8 fails -> 4 + 4 -> ... -> the bad item is alone, the other 7 have their answers
    a lone item fails -> probe (an input that the model has answered before)
        probe answered -> run the item again; if it fails again, its caller gets the error
        probe fails    -> the model is down: callers wait, the probe is retried with back-off,
                          and the batch continues once it is answered

So a model that fails on everything causes no dead letters: callers wait, and readiness shows `down_since_s`. An item at
which the model goes down `MAX_DOWNS_PER_ITEM` times, recovering each time without it, counts as bad after all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from streams.inference.batch_stats import BatchStats
from streams.timing import Clock
from syncline.errors import SetFailedError

T = TypeVar("T")
R = TypeVar("R")

MAX_FAILURES_ALONE = 2  # the first failure may have been transient
MAX_DOWNS_PER_ITEM = 3

Run = Callable[[list[T]], Awaitable[Sequence[R | Exception]]]
"""Answers a list of items in order; an exception in the result is that item's own failure."""

Probe = Callable[[], Awaitable[None]]
"""Raises if the model cannot answer an input that it has answered before."""


@dataclass(slots=True, eq=False)
class BatchItem(Generic[T, R]):
    """One caller's item and the future of its answer."""

    item: T
    cost: int
    arrived_s: float
    answer: asyncio.Future[R]
    n_failed_alone: int = 0
    n_downs: int = 0


class Bisector(Generic[T, R]):
    """Runs batches until each item has its answer or error."""

    def __init__(
        self, run: Run[T, R], probe: Probe, retry_ms: tuple[int, int], clock: Clock, stats: BatchStats
    ) -> None:
        self._run, self._probe, self._clock, self._stats = run, probe, clock, stats
        self._retry_min_s, self._retry_max_s = retry_ms[0] / 1_000, retry_ms[1] / 1_000
        self.down_since_s: float | None = None
        self.down_reason = ""

    async def answer(self, entries: list[BatchItem[T, R]]) -> None:
        """Give each entry its result or its error; returns when all have one."""
        parts = [entries]
        while parts:
            part = [entry for entry in parts.pop() if not entry.answer.done()]  # cancelled ones are done
            if not part:
                continue
            error = await self._try(part, parts)
            if error is None:
                continue
            if len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
            elif not await self._is_to_blame(part[0], error):
                parts.append(part)

    async def _try(self, part: list[BatchItem[T, R]], parts: list[list[BatchItem[T, R]]]) -> Exception | None:
        """Run `part`: answer its entries or return the error; entries with their own errors go to `parts`."""
        started_s = self._clock.now_s()
        try:
            results = await self._run([entry.item for entry in part])
            if len(results) != len(part):
                raise ValueError(f"the model gave {len(results)} results for {len(part)} items")
        except Exception as error:
            self._stats.n_failed_runs += 1
            return error
        finally:
            self._stats.runs_ms.add((self._clock.now_s() - started_s) * 1_000)
        for entry, result in zip(part, results, strict=True):
            if isinstance(result, Exception):
                self._stats.n_failed_runs += 1
                if len(part) == 1:
                    return result
                parts.append([entry])
            elif not entry.answer.done():  # its caller may have been cancelled meanwhile
                entry.answer.set_result(result)
        return None

    async def _is_to_blame(self, entry: BatchItem[T, R], error: Exception) -> bool:
        """Decide whether an item that failed alone is bad; False: run it again."""
        if await self._went_down():
            entry.n_downs += 1
        else:
            entry.n_failed_alone += 1
        if entry.n_failed_alone < MAX_FAILURES_ALONE and entry.n_downs < MAX_DOWNS_PER_ITEM:
            return False
        if not entry.answer.done():
            failure = SetFailedError(describe(error))
            failure.__cause__ = error
            entry.answer.set_exception(failure)
        return True

    async def _went_down(self) -> bool:
        """Probe the model and wait until it answers; return whether it was down."""
        pause_s = self._retry_min_s
        while (error := await self._probe_error()) is not None:
            if self.down_since_s is None:
                self.down_since_s = self._clock.now_s()
            self.down_reason = describe(error)
            await self._clock.sleep_s(pause_s)
            pause_s = min(2 * pause_s, self._retry_max_s)
        was_down = self.down_since_s is not None
        self.down_since_s, self.down_reason = None, ""
        return was_down

    async def _probe_error(self) -> Exception | None:
        try:
            await self._probe()
        except Exception as error:
            return error
        return None


def describe(error: Exception) -> str:
    """Describe an error in one line."""
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:500]
