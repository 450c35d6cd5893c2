"""The batcher: many callers, one device.

A batch leaves as soon as the device is free, with all items that have arrived; while it runs the next batch forms. With
`max_wait_ms` a batch also waits for more, from the arrival of its first item. Each caller gets its own answer, its own
error, or `NoAnswerError` if the batcher ends first.

    callers --submit--> queue (bounded) --take--> batch --run--> device
                                                    |
                                                    +-- failures: streams/inference/bisecting.py
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Annotated, Generic

import msgspec
from msgspec import Meta

from streams.inference.batch_stats import BatchStats, FlushReason
from streams.inference.bisecting import BatchItem, Bisector, Probe, R, Run, T
from streams.timing import Clock, SystemClock, wait_at_most
from syncline.errors import NoAnswerError, SettingsError
from syncline.settings.definition import check_ranges


class Batcher(Generic[T, R]):
    """Collects items of many callers into batches for one device; one batch runs at a time."""

    def __init__(
        self, run: Run[T, R], probe: Probe, settings: BatchSettings | None = None, clock: Clock | None = None
    ) -> None:
        self._settings = settings or BatchSettings()
        self._clock = clock or SystemClock()
        self.stats = BatchStats()
        retry_ms = (self._settings.retry_min_ms, self._settings.retry_max_ms)
        self._bisector: Bisector[T, R] = Bisector(run, probe, retry_ms, self._clock, self.stats)
        self._queue: deque[BatchItem[T, R]] = deque()
        self._running: list[BatchItem[T, R]] = []
        self._room = asyncio.Semaphore(self._settings.max_queued)
        self._changed = asyncio.Event()
        self._n_callers = 0
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_serving(self) -> bool:
        """Whether batches are being made: started, and neither closed nor broken."""
        return self._task is not None and not self._task.done()

    @property
    def n_queued(self) -> int:
        """The number of items waiting for the device."""
        return len(self._queue)

    @property
    def n_running(self) -> int:
        """The number of items in the running batch."""
        return len(self._running)

    @property
    def down(self) -> tuple[float, str] | None:
        """Since when (s of the clock) the model fails on everything, and why; None while it works."""
        since_s = self._bisector.down_since_s
        return None if since_s is None else (since_s, self._bisector.down_reason)

    def start(self) -> None:
        """Start to serve; needs a running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._serve(), name="batcher")

    async def submit(self, item: T, cost: int = 1) -> R:
        """The device's answer to `item`; waits for room in the queue, then for its turn.

        While the model is down, callers wait. Raises `SetFailedError` where the model fails on this item
        alone, `NoAnswerError` where the batcher was closed before.
        """
        if self._closed:
            raise NoAnswerError("the batcher takes nothing more")
        self._n_callers += 1
        try:
            await self._room.acquire()
            if self._closed:
                raise NoAnswerError("the batcher was closed")
            return await self._answer_to(item, cost)
        finally:
            self._n_callers -= 1

    async def close(self) -> None:
        """Stop at once; waiting callers get `NoAnswerError`."""
        self._closed = True
        if self._task is None:
            self._abandon("the batcher was never started")
            return
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _answer_to(self, item: T, cost: int) -> R:
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        entry = BatchItem(item=item, cost=cost, arrived_s=self._clock.now_s(), answer=answer)
        self._queue.append(entry)
        self._changed.set()
        try:
            return await answer
        except asyncio.CancelledError:
            if entry in self._queue:  # free its room now, not when the device gets to it
                self._queue.remove(entry)
                self._room.release()
            raise

    async def _serve(self) -> None:
        try:
            while True:
                await self._wait_for_batch()
                reason = self._take()
                if self._running:
                    await self._run_batch(reason)
        finally:
            self._abandon("the batcher stopped before the model answered")

    async def _run_batch(self, reason: FlushReason) -> None:
        now_s = self._clock.now_s()
        self.stats.left([now_s - entry.arrived_s for entry in self._running], reason)
        await self._bisector.answer(self._running)
        self._running = []

    async def _wait_for_batch(self) -> None:
        """Wait until the next batch may leave."""
        while not self._queue or self._wait_left_s() > 0:
            self._changed.clear()
            if self._queue:
                await wait_at_most(self._changed, self._wait_left_s(), self._clock)
            else:
                await self._changed.wait()

    def _wait_left_s(self) -> float:
        """Return how long the next batch may still wait for more items, s."""
        if not self._settings.max_wait_ms or self._fits()[1] is not None:
            return 0.0
        left_s = self._queue[0].arrived_s + self._settings.max_wait_ms / 1_000 - self._clock.now_s()
        return left_s if left_s > 1e-6 else 0.0  # ignore rounding errors

    def _fits(self) -> tuple[int, FlushReason | None]:
        """Return how many items make the next batch, and which limit ends it (None: the queue is empty)."""
        cost = 0
        for n_items, entry in enumerate(self._queue):
            cost += entry.cost
            if n_items and cost > self._settings.max_cost:
                return n_items, "cost"
            if n_items + 1 == self._settings.max_items:
                return n_items + 1, "full"
        return len(self._queue), "cost" if cost >= self._settings.max_cost else None

    def _take(self) -> FlushReason:
        """Move the next batch from the queue to `_running`; return why it leaves."""
        n_items, limit = self._fits()
        self._running = [self._queue.popleft() for _ in range(n_items)]
        for _ in self._running:
            self._room.release()
        if limit is not None:
            return limit
        return "timeout" if self._settings.max_wait_ms else "idle"

    def _abandon(self, why: str) -> None:
        """Fail all pending callers."""
        self._closed = True
        for entry in [*self._running, *self._queue]:
            if not entry.answer.done():
                entry.answer.set_exception(NoAnswerError(why))
        self._running = []
        self._queue.clear()
        for _ in range(self._n_callers):  # callers waiting for room find it closed
            self._room.release()


class BatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the batcher.

    Attributes:
        max_items (int): limit of a batch's items. Default 32.
        max_cost (int): limit of a batch's cost: pixels + milliseconds of audio + tokens; an item that costs more runs
            alone. Default 16,000,000.
        max_wait_ms (int): how long a batch waits for more items after its first, ms. Default 0.
        max_queued (int): limit of waiting items, at least `max_items`; more callers wait for room. Default 128.
        retry_min_ms (int): first pause between probes of a model that is down, ms; each next is twice as long. Default
            100.
        retry_max_ms (int): longest pause between probes, ms. Default 10,000.

    Raises:
        SettingsError: a setting is out of its range.
    """

    max_items: Annotated[int, Meta(ge=1)] = 32
    max_cost: Annotated[int, Meta(ge=1)] = 16_000_000
    max_wait_ms: Annotated[int, Meta(ge=0)] = 0
    max_queued: int = 128
    retry_min_ms: Annotated[int, Meta(ge=1)] = 100
    retry_max_ms: int = 10_000

    def __post_init__(self) -> None:
        check_ranges(self)
        for name, least in {"max_queued": self.max_items, "retry_max_ms": self.retry_min_ms}.items():
            if getattr(self, name) < least:
                raise SettingsError(name, getattr(self, name), f"an integer of at least {least}")
