"""streams/partition/executor.py: what the owner is told of each set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from models.interface import Fusion, Member
from streams.convert.conversions import Conversions
from streams.convert.runner import ConverterRunner
from streams.decisions.records import Task
from streams.join.settings import JoinSettings
from streams.meter import Meter
from streams.partition.executor import Executor
from streams.settings import WorkerSettings
from syncline.errors import NoAnswerError, SetFailedError
from syncline.wire.converted import decode_converted
from syncline.wire.results import ModelInfo, OutgoingRecord, decode_fused
from tests.streams.partition.test_outputs import held, set_task
from tests.support.converters import Spelling


class Owner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.fused: list[Task] = []
        self.failed: list[tuple[Task, str]] = []
        self.published: list[Task] = []

    def on_fused(self, tasks: Sequence[Task]) -> None:
        self.fused += tasks

    def on_failed(self, task: Task, reason: str) -> None:
        self.failed.append((task, reason))

    def on_published(self, tasks: Sequence[Task]) -> None:
        self.published += tasks


def _nothing_breaks(error: BaseException) -> None:
    raise AssertionError from error


class World:
    """A carrier with a producer that takes everything, and a model given by the test."""

    def __init__(self, model: Any, conversions: Conversions | None = None) -> None:
        self.owner, self.sent, self.looked = Owner(), list[bytes](), asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        settings = WorkerSettings(join=JoinSettings())
        self.meter, producer = Meter(), SimpleNamespace(send=self._send)
        context: Any = SimpleNamespace(
            fuse=model,
            settings=settings,
            model_info=ModelInfo("m", "1"),
            producer=producer,
            meter=self.meter,
            conversions=conversions or Conversions(),
            on_broken=_nothing_breaks,
        )
        owner: Any = self.owner
        self.carrier = Executor(context, 0, owner, self.looked.set, self._spawn)

    async def _send(self, topic: str, partition: int, records: Sequence[OutgoingRecord]) -> int:
        self.sent += [record.value for record in records]
        self.looked.set()
        return len(records)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something that the carrier does."""
        async with asyncio.timeout(300):
            while not done():
                self.looked.clear()
                await asyncio.wait_for(self.looked.wait(), 300)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Wait for everything that was spawned."""
        await asyncio.gather(*self._running)


def answer_with(result: Fusion | Exception) -> Any:
    """A model with one answer."""

    async def fuse(members: Sequence[Member]) -> Fusion:
        if isinstance(result, Exception):
            raise result
        return result

    return fuse


async def test_the_null_model_answers_at_once() -> None:
    """No thread, no task: joining alone is what its users want."""
    world, task = World(None), set_task(held("image", 1))
    world.carrier.fuse([task])
    assert world.owner.fused == [task]
    assert world.looked.is_set()


async def test_an_answer_is_kept_until_it_is_the_streams_turn() -> None:
    """Then it is published, and the owner hears of it."""
    world, task = World(answer_with(Fusion(labels=[("cat", 1.0)]))), set_task(held("image", 1), held("text", 2))
    world.carrier.fuse([task])
    await world.settle()
    assert world.owner.fused == [task]
    assert world.sent == []
    world.looked.clear()
    world.carrier.publish([task])
    await asyncio.wait_for(world.looked.wait(), 300)
    assert [decode_fused(value).labels for value in world.sent] == [(("cat", 1.0),)]
    assert world.owner.published == [task]
    assert (world.meter.e2e_ms.n, world.meter.pipeline_ms.n) == (1, 1)
    world.carrier.close()


async def test_a_set_that_the_model_refuses_is_a_failure() -> None:
    """It becomes a decision before any dead letter is sent: that is the owner's business."""
    world, task = World(answer_with(SetFailedError("odd"))), set_task(held("image", 1))
    world.carrier.fuse([task])
    await world.settle()
    assert world.owner.failed == [(task, "model_failed")]
    assert world.owner.fused == []


async def test_without_an_answer_nothing_is_said() -> None:
    """The service stops: nothing is acknowledged, and whoever comes next fuses it."""
    world, task = World(answer_with(NoAnswerError("closed"))), set_task(held("image", 1))
    world.carrier.fuse([task])
    await world.settle()
    assert (world.owner.fused, world.owner.failed) == ([], [])


async def test_after_close_the_owner_hears_nothing() -> None:
    """Nothing of an old assignment acts, though a batch on its way may still arrive."""
    world, task = World(None), set_task(held("image", 1))
    world.carrier.fuse([task])
    world.carrier.publish([task])
    world.carrier.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert world.owner.published == []


async def test_a_slow_converter_holds_up_no_result() -> None:
    """Results go out in their turn; a set's records are done with when its conversions are out too."""
    spelling = Spelling()
    spelling.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        conversions = Conversions([ConverterRunner("transcript", lambda: spelling, pool)])
        await conversions.start()
        world, tasks = World(None, conversions), [set_task(held("audio", 1)), set_task(held("image", 2))]
        world.carrier.fuse(tasks)
        world.carrier.publish(tasks)
        await world.until(lambda: len(world.sent) == 2)
        assert [decode_fused(value).members[0].lane for value in world.sent] == ["audio", "image"]
        assert (world.owner.published, world.carrier.n_converting) == ([tasks[1]], 1)
        assert world.meter.e2e_ms.n == 2
        spelling.gate.set()
        await world.until(lambda: len(world.owner.published) == 2)
        assert decode_converted(world.sent[2]).set_id == decode_fused(world.sent[0]).id
        assert world.carrier.n_converting == 0
        world.carrier.close()
        await conversions.close()


async def test_after_handing_over_no_conversion_is_published() -> None:
    """The successor makes it."""
    spelling = Spelling()
    spelling.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        conversions = Conversions([ConverterRunner("transcript", lambda: spelling, pool)])
        await conversions.start()
        world, task = World(None, conversions), set_task(held("audio", 1))
        world.carrier.fuse([task])
        world.carrier.publish([task])
        await world.until(lambda: len(world.sent) == 1)
        world.carrier.finish()
        spelling.gate.set()
        await world.settle()
        assert (len(world.sent), world.owner.published, world.carrier.sending) == (1, [], False)
        world.carrier.close()
        await conversions.close()


@pytest.mark.parametrize("n_lanes", [1, 2, 3])
async def test_the_model_is_given_each_member_with_its_lane_and_media(n_lanes: int) -> None:
    """In the set's order; a lost member is not among them."""
    seen: list[Member] = []

    async def fuse(members: Sequence[Member]) -> Fusion:
        seen.extend(members)
        return Fusion()

    lanes = ("image", "text", "audio")[:n_lanes]
    world = World(fuse)
    world.carrier.fuse([set_task(*(held(lane, number) for number, lane in enumerate(lanes)))])
    await world.settle()
    assert [(member.lane, member.modality) for member in seen] == [(lane, lane) for lane in lanes]
