"""Laws of the batcher: when a batch leaves, who waits, and what becomes of callers who go."""

from __future__ import annotations

import asyncio

import pytest

from streams.inference.batch_stats import WAIT_BOUNDS_MS
from streams.inference.batcher import BatchSettings
from syncline.errors import NoAnswerError, SettingsError
from tests.support.clock import HandClock, settle
from tests.support.device import FakeDevice, Make, begin


async def test_items_that_come_together_leave_together_at_once(make: Make, device: FakeDevice) -> None:
    """With no wait asked for, a free device takes what is there."""
    batcher = make()
    assert await asyncio.gather(*map(batcher.submit, (1, 2, 3))) == [10, 20, 30]
    assert device.batches == [[1, 2, 3]]
    assert batcher.stats.reasons == {"idle": 1}


async def test_the_busy_time_of_the_device_is_the_window(make: Make, device: FakeDevice) -> None:
    """What arrives while the device is busy leaves as one batch when it is free."""
    batcher = make()
    device.gate.clear()
    calls = await begin(batcher.submit(1))
    calls += await begin(batcher.submit(2))
    calls += await begin(batcher.submit(3))
    device.gate.set()
    assert await asyncio.gather(*calls) == [10, 20, 30]
    assert device.batches == [[1], [2, 3]]


async def test_a_full_batch_does_not_wait(make: Make, device: FakeDevice) -> None:
    """`max_items` ends a batch however long the wait, and the rest waits for its own."""
    batcher = make(max_items=4, max_wait_ms=1_000_000)
    calls = await begin(*map(batcher.submit, range(6)))
    assert device.batches == [[0, 1, 2, 3]]
    assert batcher.n_queued == 2
    assert batcher.stats.reasons == {"full": 1}
    assert [call.done() for call in calls] == [True] * 4 + [False] * 2


async def test_the_cost_ends_a_batch(make: Make, device: FakeDevice) -> None:
    """A batch holds at most `max_cost`; an item that is dearer goes alone."""
    batcher = make(max_cost=100, max_wait_ms=1_000_000)
    calls = await begin(*(batcher.submit(x, cost) for x, cost in enumerate((60, 50, 40, 250, 100))))
    assert await asyncio.gather(*calls) == [0, 10, 20, 30, 40]
    assert device.batches == [[0], [1, 2], [3], [4]]
    assert batcher.stats.reasons == {"cost": 4}


async def test_the_wait_ends_by_time(make: Make, device: FakeDevice, clock: HandClock) -> None:
    """A batch that is not full leaves `max_wait_ms` after the arrival of its first item, not before."""
    batcher = make(max_wait_ms=50)
    calls = await begin(batcher.submit(1))
    await clock.advance(0.030)
    calls += await begin(batcher.submit(2))
    await clock.advance(0.019)
    assert device.batches == []
    await clock.advance(0.001)
    assert device.batches == [[1, 2]]
    assert await asyncio.gather(*calls) == [10, 20]
    assert batcher.stats.reasons == {"timeout": 1}


async def test_after_idling_the_first_item_waits_its_whole_time(
    make: Make, device: FakeDevice, clock: HandClock
) -> None:
    """Idle time is not counted: the window opens with the first item, not with the end of the last batch."""
    batcher = make(max_wait_ms=50)
    first = await begin(batcher.submit(1))
    await clock.advance(0.050)
    await asyncio.gather(*first)
    await clock.advance(3600)
    second = await begin(batcher.submit(2))
    await clock.advance(0.049)
    assert device.batches == [[1]]
    await clock.advance(0.001)
    assert await asyncio.gather(*second) == [20]


async def test_the_wait_of_items_that_queued_behind_a_busy_device_has_passed(
    make: Make, device: FakeDevice, clock: HandClock
) -> None:
    """Waiting counts from arrival, so who waited for the device does not wait again."""
    batcher = make(max_wait_ms=50, max_items=4)
    device.gate.clear()
    calls = await begin(*map(batcher.submit, range(4)))
    calls += await begin(batcher.submit(4))
    await clock.advance(0.050)
    device.gate.set()
    assert await asyncio.gather(*calls) == [0, 10, 20, 30, 40]
    assert device.batches == [[0, 1, 2, 3], [4]]


async def test_an_overfull_queue_makes_callers_wait_and_loses_none(make: Make, device: FakeDevice) -> None:
    """At most `max_queued` items are held; further callers wait for room, also when far more come at once."""
    batcher = make(max_items=2, max_queued=3)
    device.gate.clear()
    calls = await begin(*map(batcher.submit, range(20)))
    assert batcher.n_queued <= 3
    device.gate.set()
    assert await asyncio.gather(*calls) == [x * 10 for x in range(20)]
    assert [x for batch in device.batches for x in batch] == list(range(20))
    assert max(map(len, device.batches)) == 2


async def test_a_caller_cancelled_on_the_device_harms_nobody(make: Make, device: FakeDevice) -> None:
    """The others of its batch get their answers, and the next batch runs."""
    batcher = make()
    device.gate.clear()
    calls = await begin(*map(batcher.submit, (1, 2, 3)))
    calls[1].cancel()
    await settle()
    device.gate.set()
    assert await asyncio.gather(calls[0], calls[2]) == [10, 30]
    assert await batcher.submit(4) == 40


async def test_a_caller_cancelled_in_the_queue_frees_its_room(make: Make, device: FakeDevice) -> None:
    """Its item never reaches the device, and the next caller has its place."""
    batcher = make(max_items=1, max_queued=1)
    device.gate.clear()
    calls = await begin(*map(batcher.submit, (1, 2)))
    calls[1].cancel()
    await settle()
    assert batcher.n_queued == 0
    calls += await begin(batcher.submit(3))
    assert batcher.n_queued == 1
    device.gate.set()
    assert await calls[2] == 30
    assert device.batches == [[1], [3]]


async def test_a_caller_cancelled_while_it_waits_for_room_harms_nobody(make: Make, device: FakeDevice) -> None:
    """The room that it was waiting for goes to the next."""
    batcher = make(max_items=1, max_queued=1)
    device.gate.clear()
    calls = await begin(*map(batcher.submit, (1, 2, 3, 4)))
    calls[2].cancel()
    await settle()
    device.gate.set()
    assert await asyncio.gather(calls[0], calls[1], calls[3]) == [10, 20, 40]


async def test_close_lets_nobody_hang(make: Make, device: FakeDevice) -> None:
    """On the device, in the queue, waiting for room: all get `NoAnswerError` at once."""
    batcher = make(max_items=1, max_queued=1)
    device.gate.clear()
    calls = await begin(*map(batcher.submit, range(5)))
    await batcher.close()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [NoAnswerError] * 5


async def test_stats_tell_sizes_waits_and_reasons(make: Make, device: FakeDevice, clock: HandClock) -> None:
    """One batch of 1 at once, then one of 3 after 40 ms behind the device."""
    batcher = make(max_items=4)
    device.gate.clear()
    calls = await begin(batcher.submit(1))
    calls += await begin(*map(batcher.submit, (2, 3, 4)))
    await clock.advance(0.040)
    device.gate.set()
    await asyncio.gather(*calls)
    stats = batcher.stats
    assert stats.sizes == {1: 1, 3: 1}
    assert stats.reasons == {"idle": 2}
    assert stats.waits_ms.total == pytest.approx(120)
    assert dict(zip(WAIT_BOUNDS_MS, stats.waits_ms.counts, strict=False)) == {
        **dict.fromkeys(WAIT_BOUNDS_MS, 0), 1: 1, 50: 3
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_items": 0}, "max_items: got 0, takes an integer of at least 1"),
        ({"max_wait_ms": -1}, "max_wait_ms: got -1, takes an integer of at least 0"),
        ({"max_items": 64, "max_queued": 32}, "max_queued: got 32, takes an integer of at least 64"),
    ],
)
def test_limits_are_checked(limits: dict[str, int], message: str) -> None:
    """A queue that cannot hold one batch would never be full."""
    with pytest.raises(SettingsError, match=message):
        BatchSettings(**limits)
