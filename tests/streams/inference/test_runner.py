"""Laws of the runner: a model, its thread and its batcher as one."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from models.interface import Conversion, Fusion, Member, Model, Prepared
from streams.inference.batcher import BatchSettings
from streams.inference.runner import ModelRunner, RunnerSettings
from syncline.errors import NoAnswerError, SetFailedError, SettingsError, SynclineError
from tests.support.clock import HandClock

Answer = Callable[[Sequence[Member]], object]


class FakeModel(Model):
    """Answers each set with the label of its first member's lane, or with what `answer` says."""

    name, version = "fake", "1"

    def __init__(self) -> None:
        self.answer: Answer = lambda members: Fusion(labels=[(members[0].lane, 1.0)])
        self.threads: set[str] = set()
        self.sets: list[list[str]] = []
        self.n_warm_ups = 0
        self.may_run = threading.Event()
        self.may_run.set()
        self.began = threading.Event()

    def prepare(self, modality: str, data: bytes, content_type: str, language: str | None) -> Prepared:
        """Not asked for here."""
        return Prepared(value=data)

    def run(self, sets: Sequence[Sequence[Member]]) -> list[Fusion]:
        """One batch; waits for `may_run`."""
        self.began.set()
        assert self.may_run.wait(10)
        self.threads.add(threading.current_thread().name)
        self.sets.append([members[0].lane for members in sets])
        return [self.answer(members) for members in sets]  # type: ignore[misc]

    def warm_up(self) -> None:
        """Counts."""
        self.threads.add(threading.current_thread().name)
        self.n_warm_ups += 1


def members(*lanes: str) -> list[Member]:
    """A set of one member a lane."""
    return [Member(lane=lane, modality="text", prepared=Prepared(value=lane)) for lane in lanes]


@pytest.fixture
def model() -> FakeModel:
    """A model that answers with a lane's name."""
    return FakeModel()


@pytest.fixture
async def runner(model: FakeModel, clock: HandClock) -> AsyncIterator[ModelRunner]:
    """A started runner of `model`."""
    runner = ModelRunner(lambda: model, clock=clock)
    await runner.start()
    yield runner
    model.may_run.set()
    await runner.close()


async def test_sets_get_their_own_answers(runner: ModelRunner, model: FakeModel) -> None:
    """Many callers, one batch, one answer each; all of it on the model's own thread."""
    fusions = await asyncio.gather(*(runner.fuse(members(lane)) for lane in "abc"))
    assert [fusion.labels for fusion in fusions] == [[("a", 1.0)], [("b", 1.0)], [("c", 1.0)]]
    assert model.sets == [["a", "b", "c"]]
    assert model.threads == {"model"}
    assert model.n_warm_ups == 1


BAD_ANSWERS = {
    "label 'x' has score nan": Fusion(labels=[("x", float("nan"))]),
    "label 'x' has score inf": Fusion(labels=[("x", float("inf"))]),
    "the embedding holds values that are not finite": Fusion(embedding=np.array([1.0, np.nan], np.float32)),
    "the embedding has shape (1, 2) instead of (n_embd,)": Fusion(embedding=np.zeros((1, 2), np.float32)),
    "a caption speaks of member 1 of 1": Fusion(conversions=[Conversion(1, "caption", "a dog", 0.5)]),
    "a caption has score 1.5, outside [0, 1]": Fusion(conversions=[Conversion(0, "caption", "a dog", 1.5)]),
    "the model gave a NoneType instead of a Fusion": None,
}


@pytest.mark.parametrize(("message", "bad"), BAD_ANSWERS.items(), ids=list(BAD_ANSWERS))
async def test_an_unusable_answer_is_that_sets_error(
    runner: ModelRunner, model: FakeModel, message: str, bad: object
) -> None:
    """The others of its batch keep their answers, and it says what is wrong."""
    good = model.answer
    model.answer = lambda members: bad if members[0].lane == "b" else good(members)
    a, b, c = await asyncio.gather(*(runner.fuse(members(lane)) for lane in "abc"), return_exceptions=True)
    assert isinstance(b, SetFailedError)
    assert str(b) == f"model_failed: ValueError: {message}"
    assert isinstance(a, Fusion)
    assert isinstance(c, Fusion)


async def test_a_model_that_fails_on_all_makes_the_worker_not_ready(
    runner: ModelRunner, model: FakeModel, clock: HandClock
) -> None:
    """It is asked again what it answered last; callers wait; then all goes on."""
    good = model.answer
    await runner.fuse(members("a"))
    model.answer = lambda members: 1 / 0
    calls = [asyncio.ensure_future(runner.fuse(members(lane))) for lane in "bc"]
    while not runner.health().not_ready:
        await asyncio.to_thread(model.began.wait, 1)
    await clock.advance(0.05)  # less than the first pause
    health = runner.health()
    assert health.not_ready == "the model fails on everything: ZeroDivisionError: division by zero"
    assert health.not_live == ""
    assert health.down_s == 0.05
    assert model.sets[-1] == ["a"]
    model.answer = good
    while not calls[1].done():
        await clock.advance(1)
    assert [fusion.labels for fusion in await asyncio.gather(*calls)] == [[("b", 1.0)], [("c", 1.0)]]
    assert runner.health().not_ready == ""


async def test_before_its_first_answer_a_model_is_probed_by_its_warm_up(runner: ModelRunner, model: FakeModel) -> None:
    """A model that warms up but cannot answer this set is up."""
    model.answer = lambda members: 1 / 0
    with pytest.raises(SetFailedError, match="division by zero"):
        await runner.fuse(members("a"))
    assert model.n_warm_ups == 1 + 2  # at start, and after each of its two failures


async def test_a_batch_that_hangs_is_not_live(runner: ModelRunner, model: FakeModel, clock: HandClock) -> None:
    """The age of the batch on the device tells; the event loop goes on meanwhile."""
    model.may_run.clear()
    call = asyncio.ensure_future(runner.fuse(members("a")))
    assert await asyncio.to_thread(model.began.wait, 10)
    await clock.advance(59)
    assert runner.health().not_live == ""
    await clock.advance(2)
    health = runner.health()
    assert (health.not_live, health.busy_s) == ("a batch has been running for 61 s", 61)
    model.may_run.set()
    await call
    assert runner.health().not_live == ""


async def test_a_runner_that_is_closed_with_a_batch_that_hangs_lets_nobody_hang(
    runner: ModelRunner, model: FakeModel
) -> None:
    """Callers get `NoAnswerError`, though the device never comes back."""
    model.may_run.clear()
    call = asyncio.ensure_future(runner.fuse(members("a")))
    assert await asyncio.to_thread(model.began.wait, 10)
    await runner.close()
    with pytest.raises(NoAnswerError):
        await call


async def test_closing_ends_the_thread(runner: ModelRunner) -> None:
    """After it the runner is not live, and says why."""
    assert isinstance(await runner.fuse(members("a")), Fusion)
    await runner.close()
    assert runner.health().not_live


async def test_a_model_that_exits_has_failed(runner: ModelRunner, model: FakeModel) -> None:
    """`sys.exit` inside a model ends neither the thread nor the event loop."""
    good = model.answer
    model.answer = lambda members: sys.exit(3) if members[0].lane == "b" else good(members)
    a, b = await asyncio.gather(*(runner.fuse(members(lane)) for lane in "ab"), return_exceptions=True)
    assert isinstance(a, Fusion)
    assert isinstance(b, SetFailedError)
    assert runner.health().not_live == ""


async def test_a_model_that_cannot_be_loaded_tells_at_start() -> None:
    """What `load` raises comes out of `start`."""

    def load() -> Model:
        raise SettingsError("model", "nosuch", "a name")

    runner = ModelRunner(load)
    with pytest.raises(SettingsError, match="nosuch"):
        await runner.start()
    with pytest.raises(SynclineError, match="not loaded yet"):
        _ = runner.model
    assert runner.health().not_ready == "the model is being loaded"
    await runner.close()


async def test_torch_gets_its_threads_and_no_gradients(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are set on the model's own thread, since both hold for one thread only."""
    seen: list[tuple[str, object]] = []

    @contextmanager
    def inference_mode():
        seen.append(("inference", threading.current_thread().name))
        yield

    torch = SimpleNamespace(set_num_threads=lambda n: seen.append(("threads", n)), inference_mode=inference_mode)
    monkeypatch.setitem(sys.modules, "torch", torch)
    runner = ModelRunner(lambda: model, RunnerSettings(n_torch_threads=3, batch=BatchSettings(max_items=2)))
    await runner.start()
    await runner.fuse(members("a"))
    await runner.close()
    assert seen == [("threads", 3), ("inference", "model"), ("inference", "model")]


def test_settings_are_checked() -> None:
    """A limit of 0 ms would call every batch a hanging one."""
    with pytest.raises(SettingsError, match="max_run_ms: got 0, takes an integer of at least 1"):
        RunnerSettings(max_run_ms=0)


async def test_how_long_it_has_run_never_falls(runner: ModelRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has ended on its thread, of whose end the loop has not heard, is in neither sum."""
    for busy_s, seen_s in ((5.0, 5.0), (0.0, 5.0), (7.0, 7.0)):
        monkeypatch.setattr(runner._thread, "busy_s", lambda busy_s=busy_s: busy_s)
        assert runner.busy_s == seen_s
