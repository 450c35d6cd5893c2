"""streams/observe/liveness.py: what makes a worker not live, and what never does.

On real workers: tests/streams/worker/test_worker_liveness.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from streams.inference.batch_stats import BatchStats
from streams.inference.runner import RunnerHealth
from streams.observe.liveness import LOOK_EVERY_MS, Liveness
from streams.observe.readiness import STALE_AFTER_MS
from streams.observe.worker_state import WorkerState
from streams.partition.lag import Lag
from streams.partition.manager import PartitionManager
from streams.settings import WorkerSettings

LIMIT_MS = 3_000


@dataclass
class Runner:
    """A model runner with nothing to do."""

    n_queued: int = 0
    n_running: int = 0
    not_live: str = ""
    busy_s: float = 0.0
    down_s: float = 0.0
    stats: BatchStats = field(default_factory=BatchStats)

    def health(self) -> RunnerHealth:
        return RunnerHealth(self.not_live, "", self.busy_s, self.down_s)


@dataclass
class Driver:
    """A driver that has read and carried out everything."""

    state: str = ""
    has_ended: bool = False
    reads: frozenset[str] = frozenset({"media.image"})
    decoding: set[str] = field(default_factory=set[str])
    n_behind: dict[str, int | None] = field(default_factory=lambda: {"media.image": 0, "decisions": 0})
    position: int = 0
    log_position: int = 0

    @property
    def owner(self) -> Any:
        in_flight = SimpleNamespace(positions={"media.image": self.position})
        return SimpleNamespace(in_flight=in_flight, log_position=self.log_position)

    def lags(self, wall_ms: int) -> dict[str, Lag | None]:
        return {topic: None if n is None else Lag(n, 1) for topic, n in self.n_behind.items()}


class World:
    """A worker in which all is well, looked at as often as a real one."""

    def __init__(self) -> None:
        self.runner, self.driver = Runner(), Driver()
        self.tail_task = SimpleNamespace(done=lambda: False)
        self.decoder = SimpleNamespace(oldest_start_s=None, n_decoded=0)
        self.silent_ms, self.ticks, self.ticking = 900, 0, True
        self.now_ms = 0
        manager = PartitionManager("p.")
        manager.drivers[3] = self.driver  # type: ignore[assignment]
        context = SimpleNamespace(tail=SimpleNamespace(task=self.tail_task), decoder=self.decoder, consumer=self)
        parts: dict[str, Any] = {"runner": self.runner, "context": context, "lag_watch": self}
        settings = WorkerSettings(max_stall_ms=LIMIT_MS, batch_max_wait_ms=1_000)
        self.state = WorkerState(settings=settings, manager=manager, starting="", **parts)
        self.liveness = Liveness(self.state)

    @property
    def n_ticks(self) -> int:
        """The consumer's thread moves on whenever somebody looks."""
        self.ticks += self.ticking
        return self.ticks

    def after(self, ms: int) -> str:
        """What it says when time has passed."""
        for _ in range(ms // LOOK_EVERY_MS):
            self.now_ms += LOOK_EVERY_MS
            self.liveness.look(self.now_ms)
        return "; ".join(self.liveness.reasons)


@pytest.fixture
def world() -> World:
    """A worker in which all is well."""
    world = World()
    assert world.after(LIMIT_MS) == ""
    return world


def _batcher(world: World) -> None:
    world.runner.n_queued = 3


def _batch_without_an_end(world: World) -> None:
    world.runner.n_running = 3


def _decode_thread(world: World) -> None:
    world.decoder.oldest_start_s = 17.0


def _decode_pool(world: World) -> None:
    world.driver.decoding = {"media.image"}


def _fetcher(world: World) -> None:
    world.driver.n_behind["media.image"] = 9


def _tail(world: World) -> None:
    world.driver.n_behind["decisions"] = 1


def _consumer_thread(world: World) -> None:
    world.ticking = False


STUCK: dict[str, Callable[[World], None]] = {
    "sets wait for the model": _batcher,
    "the batcher has sent it none": _batch_without_an_end,
    "a decode thread has been at one record": _decode_thread,
    "records wait for the decode threads": _decode_pool,
    "media.image, partition 3: there are records, and nothing has been read": _fetcher,
    "decisions, partition 3: there are records": _tail,
    "the consumer's thread has stood still": _consumer_thread,
}


@pytest.mark.parametrize("why", STUCK)
def test_work_that_is_not_done_for_too_long_is_told(world: World, why: str) -> None:
    """Not before the limit; with what it is and for how long."""
    STUCK[why](world)
    assert world.after(LIMIT_MS - LOOK_EVERY_MS) == ""
    said = world.after(1_000 + 3 * LOOK_EVERY_MS)
    assert why in said
    assert " s" in said


def _model_ended(world: World) -> None:
    world.runner.not_live = "the model's thread has ended"


def _tail_ended(world: World) -> None:
    world.tail_task.done = lambda: True


def _driver_ended(world: World) -> None:
    world.driver.has_ended, world.driver.state = True, "recovering from the decision log"


ENDED: dict[str, Callable[[World], None]] = {
    "the model's thread has ended": _model_ended,
    "the reader of the decision log has ended": _tail_ended,
    "partition 3: its driver has ended while recovering": _driver_ended,
}


@pytest.mark.parametrize("why", ENDED)
def test_what_has_ended_is_told_when_it_is_seen_twice(world: World, why: str) -> None:
    """Once may be a moment between two states."""
    ENDED[why](world)
    assert world.after(LOOK_EVERY_MS) == ""
    assert why in world.after(LOOK_EVERY_MS)


def _broker_is_away(world: World) -> None:
    _fetcher(world)
    _tail(world)
    world.silent_ms = STALE_AFTER_MS + 1


def _model_is_slow(world: World) -> None:
    world.runner.n_queued, world.runner.n_running, world.runner.busy_s = 100, 8, 30.0


def _model_is_down(world: World) -> None:
    world.runner.n_queued, world.runner.n_running, world.runner.down_s = 100, 8, 300.0


def _reading_is_held(world: World) -> None:
    _fetcher(world)
    world.driver.reads = frozenset()


def _it_recovers(world: World) -> None:
    _tail(world)
    world.driver.state, world.driver.reads = "recovering from the decision log", frozenset()


def _nothing_is_assigned(world: World) -> None:
    world.state.manager.drivers.clear()


def _the_lag_is_not_known(world: World) -> None:
    world.driver.n_behind = dict.fromkeys(world.driver.n_behind)


def _it_stops(world: World) -> None:
    world.state.starting = "stopping"
    _tail_ended(world)
    _consumer_thread(world)


HARMLESS = [
    _broker_is_away, _model_is_slow, _model_is_down, _reading_is_held, _it_recovers, _nothing_is_assigned,
    _the_lag_is_not_known, _it_stops,
]  # fmt: skip


@pytest.mark.parametrize("happens", HARMLESS)
def test_what_is_no_fault_of_the_worker_is_not_told(world: World, happens: Callable[[World], None]) -> None:
    """A restart would mend none of these, and cost what is held: it would be restarted for ever."""
    happens(world)
    assert world.after(20 * LIMIT_MS) == ""


def test_slow_is_not_stuck(world: World) -> None:
    """A step within the limit is enough, for each of them, again and again."""
    for step in range(10):
        world.runner.n_queued, world.runner.stats.n_batches = 5, step
        world.driver.n_behind["media.image"], world.driver.position = 900, step
        world.driver.n_behind["decisions"], world.driver.log_position = 50, step
        world.decoder.oldest_start_s = float(step)
        assert world.after(LIMIT_MS - LOOK_EVERY_MS) == ""


def test_a_process_that_was_frozen_is_live_when_it_thaws(world: World) -> None:
    """Whatever it had to do: what the freeze cost does not count."""
    for happens in (_batcher, _fetcher, _tail, _decode_thread):
        happens(world)
    world.after(LIMIT_MS - 2 * LOOK_EVERY_MS)
    world.now_ms += 3_600_000
    assert world.after(LOOK_EVERY_MS) == ""


def test_it_is_live_again_when_the_work_is_done(world: World) -> None:
    """A restart that nobody has carried out is not needed any more."""
    _fetcher(world)
    assert world.after(2 * LIMIT_MS) != ""
    world.driver.position = 9
    world.driver.n_behind["media.image"] = 0
    assert world.after(LOOK_EVERY_MS) == ""
