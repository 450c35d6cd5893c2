"""streams/convert/runner.py: a converter at work for many callers."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.interface import Prepared, Text
from streams.convert.conversion_check import Refused
from streams.convert.runner import MAX_PREPARED_BYTES, ConverterRunner
from streams.inference.batcher import BatchSettings
from streams.inference.runner import RunnerSettings
from syncline.errors import NoAnswerError
from tests.support.clock import HandClock, settle
from tests.support.converters import Spelling


@pytest.fixture
def spelling() -> Spelling:
    """A converter that says how long a clip is."""
    return Spelling()


@pytest.fixture
async def runner(spelling: Spelling, clock: HandClock) -> AsyncIterator[ConverterRunner]:
    """A started runner of it, for batches of four."""
    settings = RunnerSettings(batch=BatchSettings(max_items=4, max_queued=8))
    with ThreadPoolExecutor(1) as pool:
        runner = ConverterRunner("transcript", lambda: spelling, pool, settings, clock)
        await runner.start()
        yield runner
        spelling.gate.set()
        await runner.close()


async def test_each_event_gets_its_own_answer(runner: ConverterRunner) -> None:
    """Whatever else is asked at the same time."""
    said = await asyncio.gather(*(runner.convert(b"x" * n, "audio/wav", None) for n in (3, 1, 2)))
    assert [one.text for one in said if isinstance(one, Text)] == ["3 bytes", "1 bytes", "2 bytes"]


async def test_what_waits_while_one_batch_runs_makes_the_next(runner: ConverterRunner, spelling: Spelling) -> None:
    """As with sets."""
    spelling.gate.clear()
    asking = [asyncio.create_task(runner.convert(b"x", "audio/wav", None)) for _ in range(5)]
    while runner.n_queued + runner.n_running < 5:
        await settle()
    spelling.gate.set()
    await asyncio.gather(*asking)
    assert max(spelling.batches) > 1
    assert sum(spelling.batches) == 5


@pytest.mark.parametrize(
    ("data", "reason"), [(b"x" * Spelling.REFUSED, "audio_header"), (b"unclear", "not_speech")], ids=["bytes", "sound"]
)
async def test_media_that_cannot_be_converted_are_refused(runner: ConverterRunner, data: bytes, reason: str) -> None:
    """By the one who decodes or by the one who converts: with the reason, and the others are not held up."""
    bad, good = await asyncio.gather(runner.convert(data, "audio/wav", None), runner.convert(b"xx", "audio/wav", None))
    assert isinstance(bad, Refused)
    assert bad.reason == reason
    assert isinstance(good, Text)


async def test_an_event_at_which_the_converter_fails_is_refused(runner: ConverterRunner, spelling: Spelling) -> None:
    """Once it has failed alone and answers what it answered before."""
    await runner.convert(b"x", "audio/wav", None)
    answer = spelling._said
    spelling._said = lambda data, language: 7 if data == b"bad" else answer(data, language)  # type: ignore[method-assign,assignment]
    bad = await runner.convert(b"bad", "audio/wav", None)
    assert bad == Refused("model_failed", "ValueError: the converter gave a int instead of a Text or Speech")
    assert runner.health().not_ready == ""


async def test_a_converter_that_cannot_prepare_is_to_blame_and_says_so(
    runner: ConverterRunner, spelling: Spelling
) -> None:
    """A fault of its own is no reason to end the worker: the next one would meet the same bytes."""
    spelling.prepare = lambda data, content_type, language: 1 // 0  # type: ignore[method-assign,assignment,return-value]
    refused = await runner.convert(b"x", "audio/wav", None)
    assert isinstance(refused, Refused)
    assert (refused.reason, "ZeroDivisionError" in refused.detail) == ("model_failed", True)


async def test_while_the_converter_fails_on_everything_its_callers_wait(
    runner: ConverterRunner, spelling: Spelling, clock: HandClock
) -> None:
    """Nobody is refused because a library is missing; readiness says why."""
    spelling.error = RuntimeError("no memory")
    asking = asyncio.create_task(runner.convert(b"x", "audio/wav", None))
    while not runner.health().not_ready:
        await settle()
    assert "RuntimeError: no memory" in runner.health().not_ready
    assert not asking.done()
    spelling.error = None
    while not asking.done():
        await clock.advance(1)
    assert asking.result() == Text("1 bytes", 0.5, "en", asking.result().words)  # type: ignore[union-attr]


async def test_decoded_media_that_wait_have_a_limit(runner: ConverterRunner, spelling: Spelling) -> None:
    """A clip of a megabyte may be ten as a model takes it: beyond the limit nothing more is decoded for a while."""
    prepare, n_prepared = spelling.prepare, list[int]()

    def large(data: bytes, content_type: str, language: str | None) -> Prepared:
        n_prepared.append(1)
        return dataclasses.replace(prepare(data, content_type, language), n_bytes=MAX_PREPARED_BYTES // 2)

    spelling.prepare = large  # type: ignore[method-assign]
    spelling.gate.clear()
    first = asyncio.create_task(runner.convert(b"x", "audio/wav", None))
    while not n_prepared:
        await settle()
    asking = [asyncio.create_task(runner.convert(b"x", "audio/wav", None)) for _ in range(6)]
    while len(n_prepared) < 2:
        await settle()
    for _ in range(20):
        await settle()
    assert len(n_prepared) <= 1 + 4  # those that had begun when there was room still
    spelling.gate.set()
    assert len(await asyncio.gather(first, *asking)) == len(n_prepared) == 7


async def test_who_waits_when_it_is_closed_has_no_answer(runner: ConverterRunner, spelling: Spelling) -> None:
    """Nothing is known of the event, so nothing is acknowledged."""
    spelling.gate.clear()
    asking = asyncio.create_task(runner.convert(b"x", "audio/wav", None))
    while not runner.n_running:
        await settle()
    await runner.close()
    with pytest.raises(NoAnswerError):
        await asking
