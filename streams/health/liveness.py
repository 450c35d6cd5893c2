"""Is this process worth keeping? What must go on in a worker, and how one sees that it does not.

Two kinds of signs. A part has ended that never may: a thread, a task. Or a part has work, nothing that it waits for is
missing, and it does none of it for `max_stall_ms`. Waiting for a broker, for a slow model, for a rebalance or for
records is no such sign: whoever restarts a worker for these has it restarted for ever.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

from streams.health.readiness import STALE_AFTER_MS
from streams.health.stuck import Stuck
from streams.metrics.sources import Sources
from streams.model.runner import Runner
from syncline.contract import DECISIONS

LOOK_EVERY_MS = 500


class Sign(NamedTuple):
    """Something that goes on: where there is work, `progress` changes. `why` is told before "for N s"."""

    name: str
    has_work: bool
    progress: Hashable
    why: str
    patience_ms: int = 0
    """Waiting for so long, on top of the limit, is meant."""


class Liveness:
    """Looked at by the event loop every `LOOK_EVERY_MS`; `reasons` may be read by any thread."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._stuck: dict[str, Stuck] = {}
        self._suspected: set[str] = set()
        self.reasons: tuple[str, ...] = ()
        """Why the process should be started anew; empty while it lives."""

    def look(self, now_ms: int) -> None:
        """Look at everything once; what has ended is told when it is seen a second time."""
        found = dict(ended(self._sources))
        told = [why for name, why in found.items() if name in self._suspected]
        self._suspected = set(found)
        limit_ms = self._sources.settings.max_stall_ms
        signs = list(signs_of_life(self._sources))
        for sign in signs:
            stuck = self._stuck.setdefault(sign.name, Stuck())
            stuck_ms = stuck.look(has_work=sign.has_work, progress=sign.progress, now_ms=now_ms)
            if stuck_ms > limit_ms + sign.patience_ms:
                told.append(f"{sign.why} for {stuck_ms / 1_000:.0f} s")
        self._stuck = {sign.name: self._stuck[sign.name] for sign in signs}
        self.reasons = tuple(told)


def ended(sources: Sources) -> Iterator[tuple[str, str]]:
    """What has ended, or hangs in its thread, as (name, reason)."""
    if sources.runner is not None and (why := sources.runner.health().not_live):
        yield "model", why
    for converter in sources.conversions.runners:
        if why := converter.health().not_live:
            yield f"convert {converter.kind}", f"{converter.kind}: {why}"
    if sources.starting:
        return
    if sources.tail is not None and (sources.tail.task is None or sources.tail.task.done()):
        yield "tail", "the reader of the decision log has ended"
    for partition, driver in sources.hub.drivers.items():
        if driver.has_ended:
            yield f"driver {partition}", f"partition {partition}: its driver has ended while {driver.state}"


def signs_of_life(sources: Sources) -> Iterator[Sign]:
    """What must go on."""
    if sources.runner is not None:
        yield _batcher("batcher", "sets wait for the model", sources.runner, sources.settings.batch_max_wait_ms)
    for converter in sources.conversions.runners:
        yield _batcher(f"convert {converter.kind}", f"events wait for {converter.kind}", converter)
    if not sources.starting:
        yield from _decoding(sources)
        yield from _reading(sources)


def _batcher(name: str, what_waits: str, runner: Runner[Any, Any, Any], patience_ms: int = 0) -> Sign:
    health = runner.health()
    # On the device it may take its time: that has a limit of its own, max_run_ms. A model that is down is probed.
    waits = runner.n_queued + runner.n_running > 0 and not health.busy_s and not health.down_s
    progress = runner.stats.n_batches, runner.stats.runs_ms.n
    return Sign(name, waits, progress, f"{what_waits}, and the batcher has sent it none", patience_ms)


def _decoding(sources: Sources) -> Iterator[Sign]:
    decoder = sources.decoder
    if decoder is None:
        return
    oldest_s = decoder.oldest_start_s
    yield Sign("decode", oldest_s is not None, oldest_s, "a decode thread has been at one record")
    waits = oldest_s is None and any(driver.decoding for driver in sources.hub.drivers.values())
    why = "records wait for the decode threads, and none has been decoded"
    yield Sign("decode pool", waits, decoder.n_decoded, why)


def _reading(sources: Sources) -> Iterator[Sign]:
    n_ticks = sources.consumer_ticks() if sources.consumer_ticks else 0
    yield Sign("consumer", n_ticks > 0, n_ticks, "the consumer's thread has stood still")
    watch = sources.lag_watch
    # While the brokers do not answer, nobody can read; and who cannot ask does not know whether there is a lag.
    answered = watch is not None and watch.silent_ms <= STALE_AFTER_MS
    wall_ms = int(time.time() * 1_000)
    for partition, driver in sources.hub.drivers.items():
        for topic, lag in driver.lags(wall_ms).items():
            behind = answered and lag is not None and lag.records > 0
            if topic == DECISIONS:
                has_work, progress = behind and not driver.state, driver.owner.log_position
            else:
                has_work = behind and topic in driver.reads and topic not in driver.decoding
                progress = driver.owner.standing.positions[topic]
            why = f"{topic}, partition {partition}: there are records, and nothing has been read"
            yield Sign(f"{topic} {partition}", has_work, progress, why)
