"""Runs a model for many callers: a batcher in front of one thread."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta

from models.interface import Fusion, Member, Model
from streams.inference.answer_check import check_answer
from streams.inference.batch_stats import BatchStats
from streams.inference.batcher import Batcher, BatchSettings
from streams.inference.thread import ModelThread
from streams.timing import Clock, SystemClock
from syncline.errors import SynclineError
from syncline.settings.definition import check_ranges


class Runnable(Protocol):
    """A model or a converter."""

    def run(self, items: Sequence[Any], /) -> Sequence[Any]:
        """Answer each item, in order."""
        ...

    def warm_up(self) -> None:
        """Called once before the first `run`."""
        ...


M = TypeVar("M", bound=Runnable)
T = TypeVar("T")
R = TypeVar("R")


class RunnerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is run.

    Attributes:
        n_torch_threads (int): threads of one forward pass; 0 leaves the choice to torch. Default 0.
        max_run_ms (int): a batch that runs longer is hanging, and the worker is not live, ms. Default 60,000.
        batch (BatchSettings): limits of the batcher. Default `BatchSettings()`.

    Raises:
        SettingsError: a setting is out of its range.
    """

    n_torch_threads: Annotated[int, Meta(ge=0)] = 0
    max_run_ms: Annotated[int, Meta(ge=1)] = 60_000
    batch: BatchSettings = BatchSettings()

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, slots=True)
class RunnerHealth:
    """A runner's state for /livez and /readyz; a reason is "" if all is well.

    not_live: why the process should be restarted (a thread that ended, a batch that hangs).
    not_ready: why it does no work now (it is not live, not started, or its model fails on everything).
    busy_s: age of the running batch, s. down_s: how long the model has failed on everything, s.
    """

    not_live: str
    not_ready: str
    busy_s: float
    down_s: float


class Runner(Generic[M, T, R]):
    """Runs one model on one thread.

    check: turns the model's output for an item into the caller's answer, or raises ValueError or TypeError if it is
    unusable. It runs on the model's thread too.
    """

    def __init__(
        self,
        load: Callable[[], M],
        check: Callable[[Any, T], R],
        settings: RunnerSettings | None = None,
        clock: Clock | None = None,
        *,
        name: str = "model",
    ) -> None:
        self._load, self._check = load, check
        self._settings = settings or RunnerSettings()
        self._clock = clock or SystemClock()
        self._thread = ModelThread(name, self._clock)
        self._batcher: Batcher[T, R] = Batcher(self._run, self._probe, self._settings.batch, self._clock)
        self._model: M | None = None
        self._answered: T | None = None
        self._busiest_s = 0.0

    @property
    def model(self) -> M:
        """The model, for its name, version and `prepare`. Raises `SynclineError` before `start` has returned."""
        if self._model is None:
            raise SynclineError("the model is not loaded yet")
        return self._model

    @property
    def stats(self) -> BatchStats:
        """The batcher's statistics."""
        return self._batcher.stats

    @property
    def n_queued(self) -> int:
        """The number of items waiting for the device."""
        return self._batcher.n_queued

    @property
    def n_running(self) -> int:
        """The number of items in the running batch."""
        return self._batcher.n_running

    @property
    def busy_s(self) -> float:
        """How long the model has run since the start, the present run included, s. It never decreases."""
        # A run that has ended on its thread is in neither value until the event loop learns of it.
        self._busiest_s = max(self._busiest_s, self.stats.runs_ms.total / 1_000 + self._thread.busy_s())
        return self._busiest_s

    async def start(self) -> None:
        """Load the model on its thread and warm it up. Raises the model's errors."""
        self._thread.start()
        self._model = await self._thread.call(self._load_and_warm_up)
        self._batcher.start()

    async def ask(self, item: T, cost: int) -> R:
        """Return the answer to one item; wait for its turn, and while the model fails on everything.

        Raises `SetFailedError` if the model fails on this item alone (dead letter), and `NoAnswerError` if the runner
        was stopped before the model answered (do not acknowledge).
        """
        return await self._batcher.submit(item, cost)

    def health(self) -> RunnerHealth:
        """Return the state of the model and its thread."""
        busy_s = self._thread.busy_s()
        down = self._batcher.down
        not_live = self._not_live(busy_s)
        not_ready = not_live or (f"the model fails on everything: {down[1]}" if down else "")
        if self._model is None:
            not_ready = not_ready or "the model is being loaded"
        return RunnerHealth(not_live, not_ready, busy_s, self._clock.now_s() - down[0] if down else 0.0)

    async def close(self) -> None:
        """Stop at once; waiting callers get `NoAnswerError`. A running batch is abandoned."""
        await self._batcher.close()
        self._thread.stop(limit_s=0)

    def _not_live(self, busy_s: float) -> str:
        if self._model is None:  # loading has no time limit
            return ""
        if not self._thread.is_alive:
            return "the model's thread has ended"
        if not self._batcher.is_serving:
            return "the batcher has ended"
        if busy_s * 1_000 > self._settings.max_run_ms:
            return f"a batch has been running for {busy_s:.0f} s"
        return ""

    def _load_and_warm_up(self) -> M:
        model = self._load()
        torch = _torch()
        if torch is not None and self._settings.n_torch_threads:
            torch.set_num_threads(self._settings.n_torch_threads)
        _without_gradients(model.warm_up)
        return model

    async def _run(self, items: list[T]) -> list[R | Exception]:
        answers = await self._thread.call(lambda: _without_gradients(lambda: self._run_and_check(items)))
        for item, answer in zip(items, answers, strict=True):
            if not isinstance(answer, Exception):
                self._answered = item
                break
        return answers

    def _run_and_check(self, items: list[T]) -> list[R | Exception]:
        said = self.model.run(items)
        if len(said) != len(items):
            raise ValueError(f"the model gave {len(said)} results for {len(items)} items")
        return [self._answer_or_error(one, item) for one, item in zip(said, items, strict=True)]

    def _answer_or_error(self, said: object, item: T) -> R | Exception:
        try:
            return self._check(said, item)
        except (ValueError, TypeError) as error:
            return error

    async def _probe(self) -> None:
        """Run an input that the model has answered before; before its first answer, warm it up again."""
        if self._answered is None:
            await self._thread.call(lambda: _without_gradients(self.model.warm_up))
            return
        (answer,) = await self._run([self._answered])
        if isinstance(answer, Exception):
            raise answer


def _torch() -> Any:
    """Return torch if the model has imported it; the null model runs without."""
    return sys.modules.get("torch")


def _without_gradients(work: Callable[[], Any]) -> Any:
    """Run `work` in torch's inference mode, which is per thread."""
    torch = _torch()
    if torch is None:
        return work()
    with torch.inference_mode():
        return work()


MemberSet = Sequence[Member]


class ModelRunner(Runner[Model, MemberSet, Fusion]):
    """One model that fuses, on one device."""

    def __init__(
        self, load: Callable[[], Model], settings: RunnerSettings | None = None, clock: Clock | None = None
    ) -> None:
        super().__init__(load, _check, settings, clock)

    async def fuse(self, members: MemberSet) -> Fusion:
        """Return the model's answer to one set, as `Runner.ask` does."""
        return await self.ask(members, sum(member.prepared.cost for member in members))


def _check(said: Any, members: MemberSet) -> Fusion:
    return check_answer(said, len(members))
