"""Laws of a batch that fails: who is to blame, who waits, and that nobody else is harmed."""

from __future__ import annotations

import asyncio

import pytest

from syncline.errors import SetFailedError
from tests.support.clock import HandClock
from tests.support.device import FakeDevice, Make, begin


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
        f"model_failed: ValueError: the model gave {1 + extra} results for 1 items"
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
