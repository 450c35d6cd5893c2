"""Laws of the batcher: when a batch leaves, and that every caller gets its own answer or error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from streams.batch_settings import BatchSettings
from streams.batching import Batcher
from syncline.errors import NoAnswerError, SetFailedError, SettingsError
from tests.support.clock import HandClock, settle
from tests.support.device import FakeDevice

Make = Callable[..., Batcher[int, int]]


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


async def begin(*calls: Awaitable[int]) -> list[asyncio.Future[int]]:
    """Start the calls as tasks, in order, and let them get as far as they can."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    await settle()
    return tasks


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


async def test_a_caller_cancelled_after_an_error_harms_nobody(make: Make, device: FakeDevice) -> None:
    """Cancelled while its batch is being halved, it costs the others nothing."""
    batcher = make()
    device.bad = {2}
    device.gate.clear()
    calls = await begin(*map(batcher.submit, (1, 2, 3, 4)))
    device.gate.set()
    assert [await device.steps.get() for _ in range(2)] == ["run", "run"]  # the first half runs: the error is past
    calls[1].cancel()
    calls[3].cancel()
    assert await asyncio.gather(calls[0], calls[2]) == [10, 30]
    assert await batcher.submit(5) == 50


async def test_a_bad_caller_cancelled_in_its_last_run_harms_nobody(make: Make, device: FakeDevice) -> None:
    """Nobody is there for the error, and the batcher goes on."""
    batcher = make()
    device.bad = {1}
    device.holds_at = 2
    calls = await begin(batcher.submit(1))
    calls[0].cancel()
    device.gate.set()
    assert await batcher.submit(2) == 20


async def test_one_bad_item_among_32_stands_alone(make: Make, device: FakeDevice) -> None:
    """Its caller gets the error with its cause, the other 31 their answers, after 2 log2(32) runs and a second look."""
    batcher = make()
    device.bad = {17}
    answers = await asyncio.gather(*map(batcher.submit, range(32)), return_exceptions=True)
    error = answers.pop(17)
    assert isinstance(error, SetFailedError)
    assert str(error) == "model_failed: ValueError: cannot digest [17]"
    assert isinstance(error.__cause__, ValueError)
    assert answers == [x * 10 for x in range(32) if x != 17]
    assert len(device.batches) == 1 + 2 * 5 + 1
    assert batcher.down is None
    assert batcher.stats.n_failed_items == 1


async def test_an_item_that_fails_on_its_own_leaves_the_batch_whole(make: Make, device: FakeDevice) -> None:
    """Where the model says which set failed, nothing is halved."""
    batcher = make()
    device.sick = {3}
    answers = await asyncio.gather(*map(batcher.submit, range(8)), return_exceptions=True)
    assert isinstance(answers.pop(3), SetFailedError)
    assert answers == [x * 10 for x in range(8) if x != 3]
    assert device.batches == [list(range(8)), [3], [3]]


async def test_a_passing_failure_costs_nobody_its_answer(make: Make, device: FakeDevice) -> None:
    """A lone item that fails is run once more before it is blamed."""
    batcher = make()
    device.n_hiccups = 1
    assert await batcher.submit(1) == 10
    assert (device.batches, device.n_probes) == ([[1], [1]], 1)


@pytest.mark.parametrize("extra", [1, -1])
async def test_a_wrong_number_of_results_is_an_error(
    make: Make, device: FakeDevice, clock: HandClock, extra: int
) -> None:
    """Answers that cannot be told apart are given to nobody."""
    batcher = make()
    device.extra = extra
    answers = await asyncio.gather(*map(batcher.submit, (1, 2, 3)), return_exceptions=True)
    assert [str(answer) for answer in answers] == [
        f"model_failed: ValueError: the model gave {1 + extra} results for 1 sets"
    ] * 3


async def test_a_model_that_is_down_blames_nobody(make: Make, device: FakeDevice, clock: HandClock) -> None:
    """Callers wait, the state says so, the pauses double, and all are answered when the model is back."""
    batcher = make(retry_min_ms=100, retry_max_ms=300)
    device.is_down = True
    calls = await begin(*map(batcher.submit, range(40)))
    assert batcher.down == (0.0, "RuntimeError: the device is on fire")
    probes = [device.n_probes]
    for pause_s in (0.1, 0.2, 0.3, 0.3):
        await clock.advance(pause_s - 0.001)
        probes.append(device.n_probes)
        await clock.advance(0.001)
    assert probes == [1, 1, 2, 3, 4]
    assert not any(call.done() for call in calls)
    device.is_down = False
    await clock.advance(0.3)
    assert await asyncio.gather(*calls) == [x * 10 for x in range(40)]
    assert batcher.down is None
    assert batcher.stats.n_times_down == 1


async def test_an_item_that_fells_the_model_again_and_again_is_to_blame(
    make: Make, device: FakeDevice, clock: HandClock
) -> None:
    """Three times down at the same item, three times back without it: the others go on."""
    batcher = make(max_items=1, retry_min_ms=100)
    device.fatal = {1}
    calls = await begin(batcher.submit(1), batcher.submit(2))
    n_downs = 0
    while not calls[0].done():
        n_downs += 1
        assert batcher.down is not None
        device.is_down = False
        await clock.advance(0.1)
    assert n_downs == 3
    assert isinstance(calls[0].exception(), SetFailedError)
    assert await calls[1] == 20


async def test_drain_answers_all_who_wait_and_takes_no_more(make: Make, device: FakeDevice, clock: HandClock) -> None:
    """Those in the queue and those who wait for room are answered without waiting for more."""
    batcher = make(max_items=4, max_queued=4, max_wait_ms=1_000_000)
    device.gate.clear()
    calls = await begin(*map(batcher.submit, range(11)))
    drained = asyncio.ensure_future(batcher.drain())
    await settle()
    with pytest.raises(NoAnswerError, match="takes nothing more"):
        await batcher.submit(99)
    device.gate.set()
    await drained
    assert [call.result() for call in calls] == [x * 10 for x in range(11)]
    assert batcher.stats.reasons == {"full": 2, "drain": 1}
    assert not batcher.is_serving


async def test_drain_does_not_wait_for_a_model_that_is_down(make: Make, device: FakeDevice) -> None:
    """Its callers learn that nothing is known, so they acknowledge nothing."""
    batcher = make()
    device.is_down = True
    calls = await begin(*map(batcher.submit, range(3)))
    await batcher.drain()
    for call in calls:
        assert isinstance(call.exception(), NoAnswerError)
        assert "on fire" in str(call.exception())


async def test_close_lets_nobody_hang(make: Make, device: FakeDevice) -> None:
    """On the device, in the queue, waiting for room: all get `NoAnswerError` at once."""
    batcher = make(max_items=1, max_queued=1)
    device.gate.clear()
    calls = await begin(*map(batcher.submit, range(5)))
    await batcher.close()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [NoAnswerError] * 5


async def test_stats_tell_sizes_fill_waits_and_reasons(make: Make, device: FakeDevice, clock: HandClock) -> None:
    """One batch of 1 at once, then one of 3 after 40 ms behind the device."""
    batcher = make(max_items=4)
    device.gate.clear()
    calls = await begin(batcher.submit(1))
    calls += await begin(*map(batcher.submit, (2, 3, 4)))
    await clock.advance(0.040)
    device.gate.set()
    await asyncio.gather(*calls)
    exported = batcher.stats.export()
    assert exported["sizes"] == {1: 1, 3: 1}
    assert exported["fill"] == 0.5
    assert exported["reasons"] == {"idle": 2}
    assert exported["wait_s_sum"] == pytest.approx(0.120)
    assert {bound: n for bound, n in exported["waits_ms"].items() if n} == {"1": 1, "50": 3}


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
