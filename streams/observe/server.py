"""The web server of /livez, /readyz and /metrics; few connections at a time, reasons in words."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from errno import EADDRNOTAVAIL
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from streams.observe.descriptors import Spare

log = logging.getLogger(__name__)


Reasons = Callable[[], Iterable[str]]
Facts = Callable[[], dict[str, Any]]
"""What /readyz shows beside the reasons, ready or not."""


Metrics = Callable[[str], tuple[bytes, str]]
"""Body and content type for an Accept header."""


class HealthServer:
    """Answers GET /livez and /readyz with 200 or 503 and JSON, GET /metrics with Prometheus' text.

    spare: file descriptors for connections at the process's limit.
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
        """Start to answer; sets `port` to the actual one. Raises `OSError` if the port is taken."""
        self._connections = Connections(self._answer, self._spare)
        self.port = self._connections.listen(self._host, self._wanted_port)

    async def stop(self) -> None:
        """Stop answering."""
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


MAX_CONNECTIONS = 32
ANSWER_LIMIT_S = 10.0
"""Limit from the connection, or from a request, until the next request has come."""
_BACKLOG = 64
_RETRY_S = 1.0


class _Connection(NamedTuple):
    transport: asyncio.Transport
    expiry: asyncio.TimerHandle


class Connections(web.Server):
    """Accepts connections and passes each request to `answer`; `spare` is for when no file descriptor is free."""

    def __init__(self, answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], spare: Spare) -> None:
        async def answer_in_time(request: web.BaseRequest) -> web.StreamResponse:
            self._again(request.protocol)
            return await answer(request)

        super().__init__(answer_in_time, access_log=None, keepalive_timeout=ANSWER_LIMIT_S)
        self._spare = spare
        self._open: dict[Any, _Connection] = {}  # in order: longest without a request first
        self._listening: list[socket.socket] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def listen(self, host: str, port: int) -> int:
        """Listen on all addresses of `host`; return the port, a free one if `port` is 0. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        self._listening = _listening(host, port)
        for listening in self._listening:
            loop.add_reader(listening.fileno(), self._accept, listening)
        return self._listening[0].getsockname()[1]

    async def close(self) -> None:
        """Stop accepting and close all connections."""
        loop = asyncio.get_running_loop()
        for listening in self._listening:
            loop.remove_reader(listening.fileno())
            listening.close()
        self._listening.clear()
        await self.shutdown(timeout=1)

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        """Register a connection; close another one if there are too many."""
        super().connection_made(handler, transport)
        if len(self._open) >= MAX_CONNECTIONS:
            self._end(next(iter(self._open)))
        self._open[handler] = _Connection(transport, self._expiry(handler))

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        """Forget a closed connection."""
        super().connection_lost(handler, exc)
        if (gone := self._open.pop(handler, None)) is not None:
            gone.expiry.cancel()

    def _again(self, handler: Any) -> None:
        """Restart a connection's time limit on a request."""
        if (known := self._open.pop(handler, None)) is not None:
            known.expiry.cancel()
            self._open[handler] = _Connection(known.transport, self._expiry(handler))

    def _expiry(self, handler: Any) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(ANSWER_LIMIT_S, self._end, handler)

    def _end(self, handler: Any) -> None:
        ended = self._open.pop(handler)
        ended.expiry.cancel()
        ended.transport.abort()

    def _accept(self, listening: socket.socket) -> None:
        try:
            accepted = self._accepted(listening)
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # the socket stays readable: retrying at once would take a whole processor
            log.warning("the health server cannot accept a connection: %s", error)
            loop = asyncio.get_running_loop()
            loop.remove_reader(listening.fileno())
            loop.call_later(_RETRY_S, self._accept_again, listening)
            return
        accepted.setblocking(False)
        task = asyncio.create_task(self._serve(accepted), name="health connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accepted(self, listening: socket.socket) -> socket.socket:
        try:
            return listening.accept()[0]
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            raise
        except OSError:
            self._spare.give()
            return listening.accept()[0]

    def _accept_again(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

    async def _serve(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self, accepted)
        except OSError:  # it is gone already
            accepted.close()


def _listening(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listening: list[socket.socket] = []
    missing: OSError | None = None
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            listening.append(_bound(socket.socket(family, kind, protocol), address))
        except OSError as error:
            if error.errno != EADDRNOTAVAIL:
                for one in listening:
                    one.close()
                raise
            missing = error  # a machine without IPv6 may still resolve to it
    if missing is not None and not listening:
        raise missing
    return listening


def _bound(one: socket.socket, address: Any) -> socket.socket:
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if one.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(_BACKLOG)
        one.setblocking(False)
    except OSError as error:
        one.close()
        raise OSError(error.errno, f"cannot listen on {address}: {(error.strerror or '').lower()}") from None
    return one
