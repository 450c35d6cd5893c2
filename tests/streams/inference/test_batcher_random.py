"""Every caller gets exactly its own answer, whatever the order of arrivals, failures, outages and cancellations."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.inference.batcher import Batcher, BatchSettings
from syncline.errors import SetFailedError
from tests.support.clock import HandClock, settle
from tests.support.device import FakeDevice

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(1, 12)),
        st.tuples(st.just("submit_bad"), st.just(1)),
        st.tuples(st.just("submit_sick"), st.just(1)),
        st.tuples(st.just("cancel"), st.integers(0, 100)),
        st.tuples(st.just("busy"), st.booleans()),
        st.tuples(st.just("down"), st.booleans()),
        st.tuples(st.just("hiccup"), st.just(1)),
        st.tuples(st.just("wait_ms"), st.integers(1, 500)),
    ),
    max_size=40,
)
LIMITS = st.builds(
    BatchSettings,
    max_items=st.integers(1, 8),
    max_cost=st.integers(1, 30),
    max_wait_ms=st.sampled_from([0, 0, 50]),
    max_queued=st.integers(8, 20),
)


@dataclass
class Run:
    """One batcher under random steps; item x costs x mod 7."""

    limits: BatchSettings
    device: FakeDevice = field(default_factory=FakeDevice)
    clock: HandClock = field(default_factory=HandClock)
    calls: list[asyncio.Task[int]] = field(default_factory=list)
    cancelled: set[int] = field(default_factory=set)

    async def play(self, steps: list[tuple[str, int]]) -> None:
        """Do the steps, then heal everything, let time pass and close."""
        self.batcher: Batcher[int, int] = Batcher(self.device.run, self.device.probe, self.limits, self.clock)
        self.batcher.start()
        for name, value in steps:
            self.step(name, value)
            await self.clock.advance(value / 1_000 if name == "wait_ms" else 0)
            assert self.batcher.n_queued <= self.limits.max_queued
        self.device.is_down = False
        self.device.gate.set()
        for _ in range(20):
            await self.clock.advance(20)  # no pause between probes is longer
        await self.batcher.close()
        await settle()

    def step(self, name: str, value: int) -> None:
        """One step; those that need time to pass leave that to `play`."""
        if name.startswith("submit"):
            for _ in range(value):
                self.submit(name)
        elif name == "cancel" and self.calls:
            x = value % len(self.calls)
            if self.calls[x].cancel():
                self.cancelled.add(x)
        elif name == "busy":
            (self.device.gate.clear if value else self.device.gate.set)()
        elif name == "down":
            self.device.is_down = bool(value)
        elif name == "hiccup":
            self.device.n_hiccups = 1

    def submit(self, name: str) -> None:
        """Item x is the x-th call."""
        x = len(self.calls)
        if name != "submit":
            (self.device.bad if name == "submit_bad" else self.device.sick).add(x)
        self.calls.append(asyncio.ensure_future(self.batcher.submit(x, x % 7)))


@settings(max_examples=150, deadline=None)
@given(limits=LIMITS, steps=STEPS)
def test_every_caller_gets_exactly_its_own_answer(limits: BatchSettings, steps: list[tuple[str, int]]) -> None:
    """Good items their result, bad ones their error, cancelled ones nothing; batches keep their limits."""
    run = Run(limits)
    asyncio.run(run.play(steps))
    wrong = run.device.bad | run.device.sick
    for x, call in enumerate(run.calls):
        assert call.done(), f"caller {x} hangs"
        if x in run.cancelled:
            assert call.cancelled()
        elif x in wrong:
            assert isinstance(call.exception(), SetFailedError)
        else:
            assert call.result() == x * 10
    for batch in run.device.batches:
        assert len(batch) <= limits.max_items
        assert len(batch) == 1 or sum(x % 7 for x in batch) <= limits.max_cost
    first_runs = list(dict.fromkeys(x for batch in run.device.batches for x in batch))
    assert first_runs == sorted(first_runs), "items overtook each other"
