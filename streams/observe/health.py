"""A worker's health, put together from its parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from streams.observe.descriptors import Descriptors
from streams.observe.exposition import WorkerMetrics
from streams.observe.liveness import LOOK_EVERY_MS, Liveness, NotLiveError, Watchdog, beat
from streams.observe.readiness import lag_reasons, total_lag
from streams.observe.server import HealthServer
from streams.observe.worker_state import WorkerState


class Health:
    """The health of the worker behind `state`, and its web server."""

    def __init__(self, state: WorkerState) -> None:
        self._state = state
        self._liveness = Liveness(state)
        self.descriptors = Descriptors()
        self._looked_ms = 0
        settings = state.settings
        metrics = WorkerMetrics(state, is_live=lambda: not any(self.not_live()), is_ready=lambda: self.is_ready)
        self.server = HealthServer(
            settings.web_host, settings.web_port, self.not_live, self.not_ready, self.facts, metrics.text,
            self.descriptors.for_answering,
        )  # fmt: skip

    @property
    def is_ready(self) -> bool:
        """Tell whether /readyz answers 200."""
        return not any(self.not_live()) and not any(self.not_ready())

    async def watch(self, on_dead: Callable[[NotLiveError], None]) -> None:
        """Watch the worker for ever, on its event loop; call `on_dead` when it should end and be restarted."""
        settings = self._state.settings
        watchdog = Watchdog(lambda: self._liveness.reasons, on_dead, settings.max_stall_ms, settings.not_live_exit_ms)
        watchdog.start()
        try:
            await beat(self._state.meter.loop_stall_ms, lambda: self._on_beat(watchdog))
        finally:
            watchdog.stop()

    async def close(self) -> None:
        """Stop the web server."""
        await self.server.stop()
        self.descriptors.close()

    def not_live(self) -> Iterator[str]:
        """Yield the reasons to restart the process."""
        if self._state.broken is not None:
            yield f"ending: {self._state.broken!r}"
        yield from self._liveness.reasons
        silent_ms = _now_ms() - self._looked_ms
        if self._looked_ms and silent_ms > self._state.settings.max_stall_ms:
            yield f"nothing has looked after this worker for {silent_ms / 1_000:.0f} s"

    def not_ready(self) -> Iterator[str]:
        """Yield the reasons why it does not work on all its partitions."""
        state = self._state
        silent_s = state.heartbeat_age_s(time.monotonic()) or 0.0
        if state.starting:
            yield state.starting
        elif silent_s * 1_000 > state.settings.session_timeout_ms:
            yield f"the group's coordinator has answered no heartbeat for {silent_s:.0f} s"
        if self.descriptors.reason:
            yield self.descriptors.reason
        yield from state.manager.reasons()
        if state.runner is not None and (why := state.runner.health().not_ready):
            yield why
        for converter in state.conversions.runners:
            if why := converter.health().not_ready:
                yield f"{converter.kind}: {why}"
        if state.context is not None and state.context.tail.failing:
            yield f"the decision log cannot be read: {state.context.tail.failing}"
        if state.access is not None and state.access.refused:
            yield state.access.refused
        if state.lag_watch is not None:
            yield from lag_reasons(state.manager.lags(), state.lag_watch.silent_ms, state.settings.lag_limits)

    def facts(self) -> dict[str, Any]:
        """Return what /readyz shows beside the reasons."""
        watch, manager = self._state.lag_watch, self._state.manager
        # Before an assignment it is unknown what has to be read.
        known = watch is not None and manager.is_assigned
        lag = total_lag(manager.lags(), watch.silent_ms) if watch is not None and known else None
        return {"lag": lag, "stalled_lanes": manager.stalled_lanes()}

    def _on_beat(self, watchdog: Watchdog) -> None:
        watchdog.beat()
        now_ms = _now_ms()
        if now_ms - self._looked_ms < LOOK_EVERY_MS:
            return
        self._looked_ms = now_ms
        self._liveness.look(now_ms)
        self.descriptors.look()
        if self._state.runner is not None:
            self._state.busy.look(now_ms / 1_000, self._state.runner.busy_s)


def _now_ms() -> int:
    return int(time.monotonic() * 1_000)
