"""A device for the batcher's tests: it records its batches, fails where told, and waits at a gate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from streams.inference.batcher import Batcher
from tests.support.clock import settle

Make = Callable[..., Batcher[int, int]]
"""Makes a started batcher; arguments are those of `BatchSettings`."""


class FakeDevice:
    """Answers x with x * 10.

    `bad` items fail any batch that holds them; `sick` ones fail alone, by an exception in the list of results;
    `fatal` ones take the device down. `is_down`: everything fails, the probe too. `n_hiccups`: so many runs fail.
    `extra`: so many results too many. While `gate` is not set, batches wait at it. `steps` tells what the device
    was asked to do, one by one. The run of number `holds_at` (from 1) closes the gate before itself.
    """

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.n_probes = 0
        self.bad: set[int] = set()
        self.sick: set[int] = set()
        self.fatal: set[int] = set()
        self.n_hiccups = 0
        self.is_down = False
        self.extra = 0
        self.holds_at = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.steps: asyncio.Queue[str] = asyncio.Queue()

    async def run(self, items: list[int]) -> Sequence[int | Exception]:
        """One batch."""
        self.batches.append(items)
        self.steps.put_nowait("run")
        if len(self.batches) == self.holds_at:
            self.gate.clear()
        await self.gate.wait()
        self.is_down = self.is_down or bool(self.fatal & set(items))
        if self.is_down:
            raise RuntimeError("the device is on fire")
        if self.n_hiccups:
            self.n_hiccups -= 1
            raise ValueError("hiccup")
        if bad := self.bad & set(items):
            raise ValueError(f"cannot digest {sorted(bad)}")
        answers = [ValueError(f"{x} is not finite") if x in self.sick else x * 10 for x in items]
        return answers + [0] * self.extra if self.extra >= 0 else answers[: self.extra]

    async def probe(self) -> None:
        """An input that was answered before."""
        self.n_probes += 1
        self.steps.put_nowait("probe")
        if self.is_down:
            raise RuntimeError("the device is on fire")


async def begin(*calls: Awaitable[int]) -> list[asyncio.Future[int]]:
    """Start the calls as tasks, in order, and let them get as far as they can."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await settle()
    return tasks
