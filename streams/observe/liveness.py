"""Liveness: what must make progress in a worker, how a stall is detected, and how a worker ends that is not live."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

from streams.histogram import Histogram
from streams.inference.runner import Runner
from streams.observe.readiness import STALE_AFTER_MS
from streams.observe.worker_state import WorkerState
from streams.partition.decode import Decoder
from syncline.errors import SynclineError
from syncline.wire.contract import DECISIONS

log = logging.getLogger(__name__)


MAX_STEP_MS = 1_000
"""At most this much time counts between two looks. If they are further apart, the whole process stood still: frozen
(SIGSTOP) or without a processor."""


class StallTimer:
    """Measures for how long work has made no progress. Call `look` more often than every `MAX_STEP_MS`."""

    def __init__(self) -> None:
        self._progress: Hashable = None
        self._looked_ms: int | None = None
        self._stuck_ms = 0

    def look(self, *, has_work: bool, progress: Hashable, now_ms: int) -> int:
        """Return for how long, in ms, there has been work and `progress` has not changed."""
        step_ms = 0 if self._looked_ms is None else min(now_ms - self._looked_ms, MAX_STEP_MS)
        if has_work and self._progress == progress:
            self._stuck_ms += step_ms
        else:
            self._stuck_ms = 0
        self._progress, self._looked_ms = (progress if has_work else None), now_ms
        return self._stuck_ms


LOOK_EVERY_MS = 500


class Sign(NamedTuple):
    """Something that must progress: while there is work, `progress` changes. `why` is shown before "for N s"."""

    name: str
    has_work: bool
    progress: Hashable
    why: str
    patience_ms: int = 0
    """How much longer than the limit it may wait on purpose."""


class Liveness:
    """Collects why a worker is not live. The event loop calls `look` every `LOOK_EVERY_MS`; any thread may read it."""

    def __init__(self, state: WorkerState) -> None:
        self._state = state
        self._stuck: dict[str, StallTimer] = {}
        self._suspected: set[str] = set()
        self.reasons: tuple[str, ...] = ()
        """Why the process should be restarted; empty while it is live."""

    def look(self, now_ms: int) -> None:
        """Check everything once; an ended task is reported when seen twice."""
        found = dict(ended(self._state))
        told = [why for name, why in found.items() if name in self._suspected]
        self._suspected = set(found)
        limit_ms = self._state.settings.max_stall_ms
        signs = list(signs_of_life(self._state))
        for sign in signs:
            stuck = self._stuck.setdefault(sign.name, StallTimer())
            stuck_ms = stuck.look(has_work=sign.has_work, progress=sign.progress, now_ms=now_ms)
            if stuck_ms > limit_ms + sign.patience_ms:
                told.append(f"{sign.why} for {stuck_ms / 1_000:.0f} s")
        self._stuck = {sign.name: self._stuck[sign.name] for sign in signs}
        self.reasons = tuple(told)


def ended(state: WorkerState) -> Iterator[tuple[str, str]]:
    """Yield what has ended or hangs in its thread, as (name, reason)."""
    if state.runner is not None and (why := state.runner.health().not_live):
        yield "model", why
    for converter in state.conversions.runners:
        if why := converter.health().not_live:
            yield f"convert {converter.kind}", f"{converter.kind}: {why}"
    if state.starting:
        return
    if state.context is not None and (state.context.tail.task is None or state.context.tail.task.done()):
        yield "tail", "the reader of the decision log has ended"
    for partition, driver in state.manager.drivers.items():
        if driver.has_ended:
            yield f"driver {partition}", f"partition {partition}: its driver has ended while {driver.state}"


def signs_of_life(state: WorkerState) -> Iterator[Sign]:
    """Yield everything that must progress."""
    if state.runner is not None:
        yield _batcher("batcher", "sets wait for the model", state.runner, state.settings.batch_max_wait_ms)
    for converter in state.conversions.runners:
        yield _batcher(f"convert {converter.kind}", f"events wait for {converter.kind}", converter)
    if not state.starting and state.context is not None:
        yield from _decoding(state, state.context.decoder)
        yield from _reading(state, state.context.consumer.n_ticks)


def _batcher(name: str, what_waits: str, runner: Runner[Any, Any, Any], patience_ms: int = 0) -> Sign:
    health = runner.health()
    # A running batch has its own limit, max_run_ms. A model that is down is probed.
    waits = runner.n_queued + runner.n_running > 0 and not health.busy_s and not health.down_s
    progress = runner.stats.n_batches, runner.stats.runs_ms.n
    return Sign(name, waits, progress, f"{what_waits}, and the batcher has sent it none", patience_ms)


def _decoding(state: WorkerState, decoder: Decoder) -> Iterator[Sign]:
    oldest_s = decoder.oldest_start_s
    yield Sign("decode", oldest_s is not None, oldest_s, "a decode thread has been at one record")
    waits = oldest_s is None and any(driver.decoding for driver in state.manager.drivers.values())
    why = "records wait for the decode threads, and none has been decoded"
    yield Sign("decode pool", waits, decoder.n_decoded, why)


def _reading(state: WorkerState, n_ticks: int) -> Iterator[Sign]:
    yield Sign("consumer", n_ticks > 0, n_ticks, "the consumer's thread has stood still")
    watch = state.lag_watch
    # While the brokers do not answer, reading is impossible and the lag unknown.
    answered = watch is not None and watch.silent_ms <= STALE_AFTER_MS
    wall_ms = int(time.time() * 1_000)
    for partition, driver in state.manager.drivers.items():
        for topic, lag in driver.lags(wall_ms).items():
            behind = answered and lag is not None and lag.records > 0
            if topic == DECISIONS:
                has_work, progress = behind and not driver.state, driver.owner.log_position
            else:
                has_work = behind and topic in driver.reads and topic not in driver.decoding
                progress = driver.owner.in_flight.positions[topic]
            why = f"{topic}, partition {partition}: there are records, and nothing has been read"
            yield Sign(f"{topic} {partition}", has_work, progress, why)


BEAT_S = 0.1


async def beat(stall_ms: Histogram, on_beat: Callable[[], None]) -> None:
    """Loop for ever: sleep, record how late the sleep ended, call `on_beat`."""
    while True:
        due_s = time.monotonic() + BEAT_S
        await asyncio.sleep(BEAT_S)
        stall_ms.add(max(0.0, time.monotonic() - due_s) * 1_000)
        on_beat()


LOOK_EVERY_S = 0.25
ORDERLY_END_S = 15.0
"""Limit for leaving the group while the event loop still runs; then the process exits."""
REPORT_LIMIT_S = 2.0


class NotLiveError(SynclineError):
    """This worker was not live for too long; its successor starts from the decision log."""

    may_retry = True


class Watchdog:
    """A thread that detects a blocked event loop and ends a process that was not live for `exit_ms`.

    reasons: why it is not live, as found by the loop. on_dead: called on the loop to shut the worker down. stall_ms: a
    loop blocked for so long is not live. exit_ms: 0 is never.
    """

    def __init__(
        self,
        reasons: Callable[[], tuple[str, ...]],
        on_dead: Callable[[NotLiveError], None],
        stall_ms: int,
        exit_ms: int,
    ) -> None:
        self._reasons, self._on_dead, self._stall_ms, self._exit_ms = reasons, on_dead, stall_ms, exit_ms
        self._loop = asyncio.get_running_loop()
        self._n_beats = 0
        self._loop_stuck, self._not_live = StallTimer(), StallTimer()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def beat(self) -> None:
        """Note that the event loop runs."""
        self._n_beats += 1

    def stop(self) -> None:
        """Stop the thread."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            now_ms = int(time.monotonic() * 1_000)
            stalled_ms = self._loop_stuck.look(has_work=True, progress=self._n_beats, now_ms=now_ms)
            stalled = stalled_ms > self._stall_ms
            why = f"the event loop has stood still for {stalled_ms / 1_000:.0f} s" if stalled else ""
            why = why or "; ".join(self._reasons())
            not_live_ms = self._not_live.look(has_work=bool(why), progress=True, now_ms=now_ms)
            if 0 < self._exit_ms < not_live_ms:
                self._end(NotLiveError(f"this worker is not live: {why}"), orderly=not stalled)
                return

    def _end(self, error: NotLiveError, *, orderly: bool) -> None:
        # On its own thread: writing to stderr may block, which may be why the event loop stands still.
        report = threading.Thread(target=self._report, args=[error], daemon=True)
        report.start()
        report.join(REPORT_LIMIT_S)
        if orderly:
            self._loop.call_soon_threadsafe(self._on_dead, error)
            time.sleep(ORDERLY_END_S)  # an orderly exit ends this thread too
        os._exit(1)

    def _report(self, error: NotLiveError) -> None:
        log.critical("%s; not live for %d ms, it ends to be restarted; its threads:", error, self._exit_ms)
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
