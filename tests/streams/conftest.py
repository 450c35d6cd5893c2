"""Fixtures of the streams' tests: a device that answers, a clock turned by hand, batchers on both."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from streams.inference.batcher import Batcher, BatchSettings
from tests.support.clock import HandClock
from tests.support.device import FakeDevice, Make


@pytest.fixture
def device() -> FakeDevice:
    """A device that answers x with x * 10."""
    return FakeDevice()


@pytest.fixture
def clock() -> HandClock:
    """A clock that only the test turns."""
    return HandClock()


@pytest.fixture
async def make(device: FakeDevice, clock: HandClock) -> AsyncIterator[Make]:
    """Makes started batchers on `device` and closes them at the end."""
    made: list[Batcher[int, int]] = []

    def start(**limits: int) -> Batcher[int, int]:
        batcher: Batcher[int, int] = Batcher(device.run, device.probe, BatchSettings(**limits), clock)
        batcher.start()
        made.append(batcher)
        return batcher

    yield start
    device.gate.set()
    for batcher in made:
        await batcher.close()
