"""How a worker does, put together from its parts: what its web server says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from streams.health.pulse import beat
from streams.health.readiness import lag_reasons, total_lag
from streams.health.server import HealthServer
from streams.metrics.exposition import WorkerMetrics
from streams.metrics.sources import Sources


class Health:
    """The health of the worker whose parts `sources` names, and the server that tells it."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        settings = sources.settings
        metrics = WorkerMetrics(sources, is_live=lambda: not any(self.not_live()), is_ready=lambda: self.is_ready)
        self.server = HealthServer(
            settings.web_host, settings.web_port, self.not_live, self.not_ready, self.facts, metrics.text
        )

    @property
    def is_ready(self) -> bool:
        """What /readyz says."""
        return not any(self.not_live()) and not any(self.not_ready())

    async def beat(self) -> None:
        """Look at the worker for ever; belongs on its event loop."""
        await beat(self._sources.meter.loop_stall_ms, self._look)

    def not_live(self) -> Iterator[str]:
        """Why the process should be started anew."""
        sources = self._sources
        if sources.broken is not None:
            yield f"ending: {sources.broken!r}"
        if sources.runner is not None and (why := sources.runner.health().not_live):
            yield why

    def not_ready(self) -> Iterator[str]:
        """Why it does not work on all that it was assigned."""
        sources = self._sources
        silent_s = sources.heartbeat_age_s(time.monotonic()) or 0.0
        if sources.starting:
            yield sources.starting
        elif silent_s * 1_000 > sources.settings.session_timeout_ms:
            yield f"the group's coordinator has answered no heartbeat for {silent_s:.0f} s"
        yield from sources.hub.reasons()
        if sources.runner is not None and (why := sources.runner.health().not_ready):
            yield why
        if sources.tail is not None and sources.tail.failing:
            yield f"the decision log cannot be read: {sources.tail.failing}"
        if sources.access is not None and sources.access.refused:
            yield sources.access.refused
        if sources.lag_watch is not None:
            yield from lag_reasons(sources.hub.lags(), sources.lag_watch.silent_ms, sources.settings.lag_limits)

    def facts(self) -> dict[str, Any]:
        """What /readyz says in any case."""
        watch = self._sources.lag_watch
        return {"lag": None if watch is None else total_lag(self._sources.hub.lags(), watch.silent_ms)}

    def _look(self) -> None:
        if self._sources.runner is not None:
            self._sources.busy.look(time.monotonic(), self._sources.runner.busy_s)
