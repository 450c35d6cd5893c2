"""/livez, /readyz and /metrics: a small web server of our own, with the reasons in words.

    GET /readyz    {"ok": false, "reasons": ["partition 2: recovering from the decision log"], "lag": null, …}
    GET /readyz    {"ok": true, "reasons": [], "lag": {"records": 120, "age_ms": 340}, "stalled_lanes": []}

Live: the process is worth keeping. Ready: it works on all that it was assigned. A worker without partitions, because
there are more workers than partitions, is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiohttp import web

from streams.health.connections import Connections
from streams.health.descriptors import Spare

Reasons = Callable[[], Iterable[str]]
Facts = Callable[[], dict[str, Any]]
"""What /readyz says beside its reasons, ready or not."""


Metrics = Callable[[str], tuple[bytes, str]]
"""Body and content type for an Accept header."""


class HealthServer:
    """Answers GET /livez and /readyz with 200 or 503 and JSON, GET /metrics with Prometheus' text.

    spare: file descriptors for connections that come when no other is left.
    """

    def __init__(
        self,
        host: str,
        port: int,
        not_live: Reasons,
        not_ready: Reasons,
        facts: Facts = dict,
        metrics: Metrics | None = None,
        spare: Spare | None = None,
    ) -> None:
        self._host, self._wanted_port = host, port
        self._not_live, self._not_ready, self._facts, self._metrics = not_live, not_ready, facts, metrics
        self._spare = spare or Spare(0)
        self._connections: Connections | None = None
        self.port = 0

    async def start(self) -> None:
        """Begin to answer; `port` is the one that was found. Raises `OSError` where the port is taken."""
        self._connections = Connections(self._answer, self._spare)
        self.port = self._connections.listen(self._host, self._wanted_port)

    async def stop(self) -> None:
        """Answer nobody any more."""
        if self._connections is not None:
            await self._connections.close()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.path not in ("/livez", "/readyz", "/metrics"):
            raise web.HTTPNotFound
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD"))
        if request.path == "/livez":
            return _answer(self._not_live(), {})
        if request.path == "/readyz":
            return _answer([*self._not_live(), *self._not_ready()], self._facts())
        return self._metrics_for(request)

    def _metrics_for(self, request: web.BaseRequest) -> web.Response:
        if self._metrics is None:
            raise web.HTTPNotFound
        body, content_type = self._metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


def _answer(reasons: Iterable[str], facts: dict[str, Any]) -> web.Response:
    told = list(reasons)
    body = msgspec.json.encode({"ok": not told, "reasons": told, **facts})
    return web.Response(body=body, status=503 if told else 200, content_type="application/json")
