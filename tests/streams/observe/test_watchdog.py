"""streams/observe/liveness.py: it sees a loop that stands still, and ends the process only when it has to."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable
from typing import Any

import pytest

from streams.observe import liveness as module
from streams.observe.liveness import NotLiveError, Watchdog

LIMIT_S = 300.0


class Exits:
    """Takes the place of the process's end."""

    def __init__(self) -> None:
        self.codes: queue.Queue[int] = queue.Queue()
        self.reports: list[str] = []

    def _exit(self, code: int) -> None:
        self.codes.put(code)


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> Exits:
    """No process ends, no stack is printed, and an orderly end is given up at once."""
    exits = Exits()
    monkeypatch.setattr(module.os, "_exit", exits._exit)
    monkeypatch.setattr(module.faulthandler, "dump_traceback", lambda **_: exits.reports.append("threads"))
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(module, "ORDERLY_END_S", 0.05)
    return exits


@pytest.fixture
async def watch() -> Any:
    """Starts watchdogs and stops them at the end."""
    started: list[Watchdog] = []

    def start(reasons: Callable[[], tuple[str, ...]], on_dead: Callable[[NotLiveError], None], **ms: int) -> Watchdog:
        started.append(Watchdog(reasons, on_dead, ms.get("stall_ms", 60_000), ms.get("exit_ms", 0)))
        started[-1].start()
        return started[-1]

    yield start
    for watchdog in started:
        watchdog.stop()


async def test_a_loop_that_stands_still_ends_the_process(exits: Exits, watch: Any) -> None:
    """At once, with what all threads were at: nothing can be done in an orderly way on it."""
    dead: list[NotLiveError] = []
    watch(tuple, dead.append, stall_ms=50, exit_ms=50)
    time.sleep(1.0)  # noqa: ASYNC251 (that is the loop standing still)
    assert exits.codes.get(timeout=LIMIT_S) == 1
    assert exits.reports == ["threads"]
    assert dead == []


async def test_a_worker_that_is_not_live_is_ended_in_an_orderly_way_first(exits: Exits, watch: Any) -> None:
    """The loop is told, so that it leaves its group; the process ends in any case."""
    dead: asyncio.Queue[NotLiveError] = asyncio.Queue()
    watchdog = watch(lambda: ("the batcher has ended",), dead.put_nowait, exit_ms=50)
    watchdog.beat()
    assert "not live: the batcher has ended" in str(await asyncio.wait_for(dead.get(), LIMIT_S))
    assert await asyncio.to_thread(exits.codes.get, timeout=LIMIT_S) == 1


@pytest.mark.parametrize("exit_ms", [0, 10_000])
async def test_without_need_nothing_ends(exits: Exits, watch: Any, exit_ms: int) -> None:
    """Switched off, or before its time; a reason that comes and goes begins anew."""
    reasons: list[tuple[str, ...]] = [("a batch has been running for 61 s",)]
    watchdog = watch(lambda: reasons[0], _never, stall_ms=200, exit_ms=exit_ms)
    for _ in range(50):
        watchdog.beat()
        await asyncio.sleep(0.01)
    assert exits.codes.empty()


async def test_a_reader_of_stderr_that_has_stopped_reading_holds_nothing_up(
    exits: Exits, watch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report may be what would hang."""
    monkeypatch.setattr(module, "REPORT_LIMIT_S", 0.05)
    monkeypatch.setattr(module.faulthandler, "dump_traceback", lambda **_: time.sleep(5))
    watch(tuple, _never, stall_ms=50, exit_ms=50)
    time.sleep(1.0)  # noqa: ASYNC251 (that is the loop standing still)
    assert exits.codes.get(timeout=LIMIT_S) == 1


def _never(error: NotLiveError) -> None:
    raise AssertionError from error
